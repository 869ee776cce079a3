// A measurement where its adapter is: in a headless Chromium, or in Node through Dawn.
import type { Page } from "playwright-core";
import { openDawn } from "#engine/dawn";
import { findDawn } from "../dawn.ts";
import { inPage } from "./page.ts";

interface Places<T> {
  /** The page's module, from the repository's root. */
  readonly entry: string;
  readonly inPage: (page: Page) => Promise<T>;
  readonly inNode: () => Promise<T>;
}

/** @param adapter "chromium", or "dawn" with ":" and a part of an adapter's name. @param say hears of an installation, and of the page */
export async function onAdapter<T>(adapter: string, say: (line: string) => void, places: Places<T>): Promise<T> {
  if (!adapter.startsWith("dawn")) return inPage(places.entry, say, places.inPage);
  const { folder } = await findDawn(say);
  await openDawn(folder, adapter.slice("dawn:".length) || undefined);
  return places.inNode();
}
