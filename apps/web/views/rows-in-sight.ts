// Of a long list in a box that scrolls, the rows to draw. All are of one height, so this is a division: a library that measures rows would
// be a twelfth of the page's first script.
import { type RefObject, useEffect, useState } from "react";

/** Before the box is measured, and where nothing is: a screen of rows. */
const HEIGHT_FIRST_PX = 640;

/** Places from `first` up to `last`, exclusive. */
interface Rows {
  readonly first: number;
  readonly last: number;
}

export function rowsInSight(topPx: number, heightPx: number, rowPx: number, beyond: number, count: number): Rows {
  const last = Math.min(count, Math.ceil((topPx + heightPx) / rowPx) + beyond);
  return { first: Math.max(0, Math.min(Math.floor(topPx / rowPx) - beyond, last)), last };
}

/** @param beyond rows above and below, so that a hand that scrolls finds them drawn */
export function useRowsInSight(box: RefObject<HTMLElement | null>, rowPx: number, beyond: number, count: number): Rows {
  const [{ topPx, heightPx }, see] = useState({ topPx: 0, heightPx: HEIGHT_FIRST_PX });
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = () => {
      const topPx = element.scrollTop - (element.scrollTop % rowPx); // by whole rows: within one nothing changes
      const heightPx = element.clientHeight;
      see((seen) => (seen.topPx === topPx && seen.heightPx === heightPx ? seen : { topPx, heightPx }));
    };
    element.addEventListener("scroll", look, { passive: true });
    const resized = new ResizeObserver(look);
    resized.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      resized.disconnect();
    };
  }, [box, rowPx]);
  return rowsInSight(topPx, heightPx, rowPx, beyond, count);
}
