// The page's words in its languages: English comes with the page, others are loaded when they are wanted. useWords() gives every view them.
import { createContext, use } from "react";
import { en, type Words } from "./en.ts";
import type { Language } from "./language.ts";

export type { Words };

export const loadWords = async (language: Language): Promise<Words> =>
  language === "de" ? (await import("./de.ts")).de : en;

export const WordsContext = createContext<Words>(en);
export const useWords = (): Words => use(WordsContext);
