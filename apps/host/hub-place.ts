import type { HubPlace } from "#corpus";

/** As Hugging Face's own tools are told: HF_ENDPOINT for another server, HF_TOKEN for data sets that are not public. Neither is written anywhere. */
export const hubPlace = (env: Readonly<Record<string, string | undefined>>): HubPlace => ({
  endpoint: env.HF_ENDPOINT || "https://huggingface.co",
  token: env.HF_TOKEN || undefined,
});
