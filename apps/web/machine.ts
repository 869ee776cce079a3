// What this machine can give, asked once before anything is donated: a secure context, WebGPU, an adapter, else the processor. No device is opened.
//
//   probeMachine(wish) -> Machine          the page's views and the problems below read it
import type { AdapterDescription, MemoryLimits } from "#engine";
import type { BackendWish } from "./views/places.ts";
import type { Problem } from "./window/types.ts";
import { problems } from "./worker/problems.ts";

export type Browser = "chromium" | "firefox" | "safari" | "other";

export interface Machine {
  readonly state: "checking" | "insecure" | "no-webgpu" | "no-adapter" | "ready";
  readonly adapter: AdapterDescription | null;
  readonly limits: MemoryLimits | null; // the adapter's
  readonly browser: Browser;
  /** Why the processor stands in for a GPU; absent: it does not, or the person asked for it. */
  readonly lacks?: "no-webgpu" | "no-adapter";
}

export const uncheckedMachine: Machine = { state: "checking", adapter: null, limits: null, browser: "other" };

/** By the engine's name in the user agent: only words of advice depend on it. */
export function browserOf(userAgent: string): Browser {
  if (/firefox|fxios/i.test(userAgent)) return "firefox";
  if (/chrome|chromium|crios|edg/i.test(userAgent)) return "chromium";
  // WebKit elsewhere (GNOME's browser) is no Safari that Apple's updates reach.
  if (/applewebkit/i.test(userAgent) && /mac os x/i.test(userAgent)) return "safari";
  return "other";
}

export async function probeMachine(wish: BackendWish): Promise<Machine> {
  const browser = browserOf(navigator.userAgent);
  if (!isSecureContext) return { state: "insecure", adapter: null, limits: null, browser };
  const adapter = wish === "wasm" ? null : ((await navigator.gpu?.requestAdapter().catch(() => null)) ?? null);
  if (adapter === null) {
    const cpu = wish === "webgpu" ? undefined : (await import("./processor.ts")).findCpu();
    const lacks = navigator.gpu ? "no-adapter" : "no-webgpu";
    if (cpu)
      return { state: "ready", adapter: cpu.adapter, limits: null, browser, ...(wish === "wasm" ? {} : { lacks }) };
    return { state: lacks, adapter: null, limits: null, browser };
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  // As numbers: the adapter's own object does not cross to another thread.
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = adapter.limits;
  return {
    state: "ready",
    browser,
    limits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension },
    // SwiftShader answers isFallbackAdapter; Mesa's lavapipe ("llvmpipe") does not say so itself.
    adapter: {
      backend: "webgpu",
      vendor,
      architecture,
      description,
      isFallback: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`),
    },
  };
}

/** Why this machine cannot donate, or null when it can. The run can be watched all the same. */
export function machineProblem({ state, browser }: Machine): Problem | null {
  switch (state) {
    case "checking":
    case "ready":
      return null;
    case "insecure":
      return problems.insecureContext();
    case "no-webgpu":
      return problems.noWebGpu(browser);
    case "no-adapter":
      return problems.noAdapter(browser);
  }
}

/** Why it is the processor that is offered here, and what would bring a GPU; null where there is one. */
export const missingGpu = ({ lacks, ...machine }: Machine): Problem | null =>
  lacks === undefined ? null : machineProblem({ ...machine, state: lacks });
