// "Try the model": a heading at first, and the rest once somebody comes near it.
import { useEffect, useRef, useState } from "react";
import type { PageSnapshot } from "../page-state.ts";
import { useWords } from "../words/index.ts";
import type { TryTexts } from "../words/try-en.ts";
import type { TryModel } from "./try-model.tsx";

/** So far below the screen its code is fetched, so that it is there when it is scrolled to. */
const NEAR = "300px";

interface Part {
  readonly TryModel: typeof TryModel;
  readonly texts: TryTexts;
  readonly language: string;
}

async function loadPart(language: string): Promise<Part> {
  const [code, { tryTexts }] = await Promise.all([
    import("./try-model.tsx"),
    language === "de" ? import("../words/try-de.ts") : import("../words/try-en.ts"),
  ]);
  return { TryModel: code.TryModel, texts: tryTexts, language };
}

export const TrySection = ({ page }: { page: PageSnapshot }) => {
  const { tryModel, language } = useWords();
  const section = useRef<HTMLElement>(null);
  const [near, setNear] = useState(false);
  const [part, setPart] = useState<Part | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (!section.current || near) return;
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && setNear(true), { rootMargin: NEAR });
    observer.observe(section.current);
    return () => observer.disconnect();
  }, [near]);
  useEffect(() => {
    if (!near) return;
    let wanted = true;
    setFailed(false);
    loadPart(language).then(
      (loaded) => wanted && setPart(loaded),
      () => wanted && setFailed(true),
    );
    return () => {
      wanted = false;
    };
  }, [near, language]);
  return (
    <section ref={section} className="try" aria-labelledby="try" aria-busy={!failed && part?.language !== language}>
      <h2 id="try">{tryModel.title}</h2>
      <p className="purpose">{tryModel.intro}</p>
      {part ? <part.TryModel page={page} texts={part.texts} /> : null}
      {failed ? (
        <p className="notice" role="alert">
          {tryModel.notLoaded}
        </p>
      ) : part ? null : (
        <p className="empty">{tryModel.loading}</p>
      )}
    </section>
  );
};
