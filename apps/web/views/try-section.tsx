// "Try the model": a heading at first, and the rest once somebody comes near it.
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import type { PageSnapshot } from "../page-state.ts";
import { useWords } from "../words/index.ts";

const TryModel = lazy(async () => ({ default: (await import("./try-model.tsx")).TryModel }));

/** So far below the screen its code is fetched, so that it is there when it is scrolled to. */
const NEAR = "300px";

export const TrySection = ({ page }: { page: PageSnapshot }) => {
  const { tryModel } = useWords();
  const [near, setNear] = useState(false);
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!section.current || near) return;
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && setNear(true), { rootMargin: NEAR });
    observer.observe(section.current);
    return () => observer.disconnect();
  }, [near]);
  const loading = <p className="empty">{tryModel.loading}</p>;
  return (
    <section ref={section} className="try" aria-labelledby="try">
      <h2 id="try">{tryModel.title}</h2>
      <p className="purpose">{tryModel.intro}</p>
      {near ? (
        <Suspense fallback={loading}>
          <TryModel page={page} />
        </Suspense>
      ) : (
        loading
      )}
    </section>
  );
};
