// Keeps the page's own files, so that it opens where no host answers and says what it can (views/offline.tsx). It keeps nothing of the run.
// One cache for each build: a newer worker waits until no page of the older build is open, and then removes that cache.
import { type Built, isAway, wayOf } from "./ways.ts";

declare const BUILT: Built;
const worker = globalThis as unknown as ServiceWorkerGlobalScope;
const PREFIX = "gossamer-page-";
const name = PREFIX + BUILT.cache;
const { scope } = worker.registration;
const addressOf = (path: string): string => scope + path.slice(1);

worker.addEventListener("install", (event) => {
  event.waitUntil(caches.open(name).then((cache) => cache.addAll(BUILT.shell.map(addressOf))));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then((names) => {
      const old = names.filter((each) => each.startsWith(PREFIX) && each !== name);
      return Promise.all(old.map((each) => caches.delete(each)));
    }),
  );
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  switch (wayOf(request, scope, BUILT)) {
    case "page":
      return event.respondWith(networkFirst(request, addressOf("/")));
    case "fixed":
      return event.respondWith(networkFirst(request, request.url));
    case "asset":
      return event.respondWith(keptFirst(event));
  }
});

/** A notification leads to the page that it is about (window/notify.ts). */
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const shown = worker.clients.matchAll({ type: "window", includeUncontrolled: true }).then(async ([page]) => {
    await (page ? page.focus() : worker.clients.openWindow(scope));
  });
  event.waitUntil(shown);
});

/** Compressed or not is the same file. */
const kept = async (url: string): Promise<Response | undefined> =>
  (await caches.open(name)).match(url, { ignoreVary: true });

async function networkFirst(request: Request, url: string): Promise<Response> {
  try {
    const answer = await fetch(request);
    return isAway(answer.status) ? ((await kept(url)) ?? answer) : answer;
  } catch (error) {
    const page = await kept(url);
    if (page) return page;
    throw error;
  }
}

async function keptFirst(event: FetchEvent): Promise<Response> {
  const { request } = event;
  const here = await kept(request.url);
  if (here) return here;
  const answer = await fetch(request);
  if (answer.ok) event.waitUntil(keep(request, answer.clone()));
  return answer;
}

/** Without room for it the browser's own cache serves as well. */
async function keep(request: Request, answer: Response): Promise<void> {
  const cache = await caches.open(name);
  await cache.put(request, answer).catch(() => {});
}
