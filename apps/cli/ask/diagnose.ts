// `gossamer diagnose`: which peer or link slows a run's rounds, and why, as its host makes it out.
import { type Diagnosis, diagnosisSchema } from "#wire";
import { findingLine } from "../../host/diagnosis/run-diagnosis.ts";
import { type Remote, runPath } from "../remote.ts";
import { plain } from "./table.ts";

export const remoteDiagnosis = (remote: Remote, run: string): Promise<Diagnosis> =>
  remote.ask(runPath(run, "/diagnosis"), diagnosisSchema);

export function diagnosisLines({ rounds, medianRoundMs, findings }: Diagnosis): string[] {
  if (medianRoundMs === null) return ["No round is sealed since this host started: there is nothing to say yet."];
  const looked = `${rounds} ${rounds === 1 ? "round" : "rounds"}, ${(medianRoundMs / 1000).toFixed(1)} s in the median.`;
  if (findings.length === 0) return [looked, "Nobody holds the others up."];
  return [looked, ...findings.map((finding) => plain(findingLine(finding)))];
}
