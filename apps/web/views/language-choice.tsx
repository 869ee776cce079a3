// In which language a page speaks.
import { type Language, languages } from "../words/language.ts";

interface LanguageChoiceProps {
  readonly label: string;
  readonly language: Language;
  readonly speak: (language: Language) => void;
}

export const LanguageChoice = ({ label, language, speak }: LanguageChoiceProps) => (
  <label className="language">
    <span className="sr-only">{label}</span>
    <select value={language} onChange={({ target }) => speak(target.value as Language)}>
      {Object.entries(languages).map(([tag, name]) => (
        <option key={tag} value={tag} lang={tag}>
          {name}
        </option>
      ))}
    </select>
  </label>
);
