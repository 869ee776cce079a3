// The operator's page is a page of its own: volunteers load nothing of it.
import "../no-eval.ts";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import "../styles/base.css";
import "../styles/frame.css";
import "../styles/about.css";
import "../styles/tables.css";
import "../styles/admin.css";
import { hostBaseOf } from "../views/places.ts";
import { adminEn } from "../words/admin-en.ts";
import { type Language, languageFor, rememberedLanguage, rememberLanguage } from "../words/language.ts";
import { Admin } from "./admin.tsx";

const wordsOf = async (language: Language) =>
  language === "de" ? (await import("../words/admin-de.ts")).adminDe : adminEn;

const first = await wordsOf(languageFor(rememberedLanguage(), navigator.languages)).catch(() => adminEn);
document.documentElement.lang = first.language;
const base = hostBaseOf(new URL(location.href));

const Page = () => {
  const [words, setWords] = useState(first);
  const speak = async (language: Language) => {
    rememberLanguage(language);
    document.documentElement.lang = language;
    setWords(await wordsOf(language).catch(() => adminEn));
  };
  return <Admin words={words} base={base} speak={(language) => void speak(language)} />;
};

const root = document.getElementById("root");
if (root === null) throw new Error("admin.html has no #root");
createRoot(root).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
