// The model as a file of another tool: what the host gives, and where.
//
//   what is wanted -> GET /api/runs/:id/export?… -> the one file to download, its size and its address
import type { ExportFormat, ExportType } from "#formats";
import { exportListSchema } from "#wire";
import { askRun, CheckpointError, type RunPlace } from "./checkpoints.ts";

export interface TakeHomeWish {
  readonly format: ExportFormat;
  readonly dtype: ExportType;
  readonly round: number;
}

export interface Download {
  readonly url: string;
  readonly name: string;
  readonly bytes: number;
}

/** Weights of what a format holds, the usual one first. */
export const typesOf: Readonly<Record<ExportFormat, readonly ExportType[]>> = {
  gguf: ["f16", "q8_0", "bf16", "f32"],
  safetensors: ["f32", "bf16", "f16"],
};

/** A GGUF file, or an archive of what Hugging Face's libraries ask for. @throws CheckpointError, in the host's words where it says why */
export async function askDownload(place: RunPlace, { format, dtype, round }: TakeHomeWish): Promise<Download> {
  const query = new URLSearchParams({ format, dtype, round: String(round) });
  const parsed = exportListSchema.safeParse(await askRun(place, `/export?${query}`));
  if (!parsed.success) throw new CheckpointError("damaged", "the host's list of files is of another version");
  const { archive, files } = parsed.data;
  const { name, bytes } = format === "gguf" ? files[0] : archive;
  const path = `/api/runs/${encodeURIComponent(place.run)}/export/${encodeURIComponent(name)}`;
  return { url: `${place.base}${path}?${query}`, name, bytes };
}
