// Where moments lie in what the browser keeps for this site (OPFS), and how to forget what a killed tab has left there.

export const COLD_FOLDER = "gossamer-moments";

export async function forgetColdFiles(): Promise<void> {
  const root = await navigator.storage?.getDirectory?.().catch(() => undefined);
  await root?.removeEntry(COLD_FOLDER, { recursive: true }).catch(() => {}); // there is none, or a tab that donates holds one
}
