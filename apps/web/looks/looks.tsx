// For tests alone (vite.config.ts): the page in any of its states (views/states.ts), as a test names them. No host and no effects are needed for that,
// since what is drawn is a function of one snapshot.
import "../no-eval.ts";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import "../styles.css";
import { actions } from "../views/fixtures.ts";
import { Page } from "../views/page.tsx";
import { everyState } from "../views/states.ts";
import { loadWords } from "../words/index.ts";
import type { Language } from "../words/language.ts";

declare global {
  interface Window {
    __looks: { readonly states: readonly string[]; show(state: string, language: Language): Promise<void> };
  }
}

const root = createRoot(document.getElementById("root")!);
const frame = () => new Promise(requestAnimationFrame);
const all = (selector: string) => document.querySelectorAll<HTMLDetailsElement>(selector);

const FOLDED = "details:not([open])";
const UNFINISHED = `${FOLDED}, .plot:not(:has(canvas)), [aria-busy=true]`;
/** Ten seconds of a screen that keeps up: charts and what one tries come in files of their own. */
const FRAMES_MAX = 600;

window.__looks = {
  states: Object.keys(everyState),
  /** With everything unfolded and drawn that a person can unfold. */
  async show(state, language) {
    const words = await loadWords(language);
    document.documentElement.lang = language;
    flushSync(() => root.render(<Page page={{ ...everyState[state], words }} actions={actions} />));
    for (let frames = 0; frames === 0 || all(UNFINISHED).length > 0; frames++) {
      if (frames > FRAMES_MAX) throw new Error(`“${state}” is not all drawn, or a part of it is too far out of sight`);
      for (const details of all(FOLDED)) details.open = true;
      await frame(); // what is unfolded may hold more
    }
  },
};
