// What the dashboard file and the documents name of the metrics is what a host gives.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freshFolder, startTestHost, writeRun } from "./test-given.ts";

const docs = join(import.meta.dirname, "..", "..", "docs");
const read = (file: string): string => readFileSync(join(docs, file), "utf8");

async function metricNames(): Promise<Set<string>> {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data), relayCapBytes: 1e9 });
  const text = await (await fetch(`${host.url}/metrics`)).text();
  await host.close();
  const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Set(families.map(([, name]) => name));
}

const familyOf = (name: string): string => name.replace(/_(bucket|sum|count)$/, "");

test("each query of the Grafana dashboard names metrics that exist, and each metric is documented", async () => {
  const names = await metricNames();
  const dashboard = JSON.parse(read("grafana-dashboard.json")) as {
    panels: { type: string; title: string; targets?: { expr: string }[] }[];
  };
  const panels = dashboard.panels.filter(({ type }) => type !== "row");
  expect(panels.length).toBeGreaterThan(10);
  for (const { title, targets } of panels) {
    const used = (targets ?? []).flatMap(({ expr }) => expr.match(/\b(gossamer|process)_[a-z_]+/g) ?? []);
    expect(used.length, title).toBeGreaterThan(0);
    for (const name of used) expect([...names], title).toContain(familyOf(name));
  }
  const documented = new Set(
    read("OPERATING.md")
      .match(/`((gossamer|process)_[a-z_]+)`/g)
      ?.map((name) => name.slice(1, -1)),
  );
  expect([...documented].sort()).toEqual([...names].sort());
});
