// The page's service worker, and whether what is open is what the host now serves.

/** Once the page has all that it needs itself. Browsers give service workers to secure origins alone; who has none misses only the offline page. */
export function keepForOffline(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const register = () => void navigator.serviceWorker.register(`${import.meta.env.BASE_URL}sw.js`).catch(() => {});
  if (document.readyState === "complete") register();
  else addEventListener("load", register, { once: true });
}

/** This page was opened through a service worker: it may be a kept one. */
export const mayBeKept = (): boolean => Boolean(navigator.serviceWorker?.controller);

/** Whether the host now serves a page of another build: one whose script is not ours. */
export async function hostHasAnotherPage(): Promise<boolean> {
  const own = document.querySelector("script[type=module][src]")?.getAttribute("src");
  if (!own) return false;
  try {
    const answer = await fetch(import.meta.env.BASE_URL, { cache: "no-cache" });
    return answer.ok && !(await answer.text()).includes(`"${own}"`);
  } catch {
    return false; // gone again
  }
}

/** sessionStorage: the page that was open when this tab was last loaded anew for another one. */
const KEY = "gossamer-page-left";

/** Loads the host's page instead of this one; by itself once for each page, whatever the network gives. @returns false when that has not helped */
export function changePage(byHand: boolean): boolean {
  const own = document.querySelector("script[type=module][src]")?.getAttribute("src") ?? "";
  try {
    if (!byHand && sessionStorage.getItem(KEY) === own) return false;
    sessionStorage.setItem(KEY, own);
  } catch {
    if (!byHand) return false; // without that it might load for ever
  }
  location.reload();
  return true;
}
