// A part of the page that is drawn anew only while it is in sight, or near it: with a thousand peers what nobody looks at costs nothing.
import { memo, type ReactNode, useEffect, useRef, useState } from "react";

/** So far above and below the screen a part is kept up to date, so that it is ready when it is scrolled to. */
const NEAR = "1000px";

const Still = memo(
  ({ children }: { children: ReactNode; awake: boolean }) => children,
  (_, { awake }) => !awake,
);

export const Seen = ({ children }: { children: ReactNode }) => {
  const box = useRef<HTMLDivElement>(null);
  const [awake, setAwake] = useState(true);
  useEffect(() => {
    if (!box.current) return;
    const observer = new IntersectionObserver(([entry]) => setAwake(entry.isIntersecting), { rootMargin: NEAR });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return (
    <div className="seen" ref={box}>
      <Still awake={awake}>{children}</Still>
    </div>
  );
};
