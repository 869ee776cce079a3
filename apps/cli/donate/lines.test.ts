import { expect, test } from "vitest";
import { idleDonor } from "../../web/page-state.ts";
import { donating } from "../../web/views/fixtures.ts";
import { problems } from "../../web/worker/problems.ts";
import { events, farewell, nowLine, problemLines } from "./lines.ts";

test("one line says state, speed, loss, credit, links and bytes", () => {
  expect(nowLine(donating)).toMatch(/^Round \d.* tokens\/s · loss \d.*counted · .*link.* up · .* down$/);
  expect(nowLine(idleDonor)).toContain("no links");
});

test("each thing that happened is said once", () => {
  const gone = { ...donating, notices: [problems.hostGone("it restarts")] };
  expect(events(donating, donating)).toEqual([]);
  expect(events(donating, gone).join()).toContain("it restarts");
  expect(events(gone, gone)).toEqual([]);
  expect(events(gone, donating)).toEqual(["The host is back."]);
  expect(events(idleDonor, donating).join(" ")).toMatch(/Trains on .* Takes part as peer/);
});

test("a refusal's remedy is one for a terminal", () => {
  const [message, remedy] = problemLines(problems.refused("version", "This host speaks protocol 9."));
  expect(message).toContain("protocol 9");
  expect(remedy).not.toMatch(/page|reload/i);
  expect(farewell(idleDonor)).toBe("Nothing was donated.");
  expect(farewell(donating)).toContain("tokens offered");
});
