// What a peer's thread for folding answers to, large arrays transferred: FoldService behind comlink.
import { transfer } from "comlink";
import { type Folded, FoldService } from "./fold-service.ts";

const service = new FoldService();

const moved = (folded: Folded): Folded =>
  transfer(folded, folded.from ? [folded.anchor.buffer, folded.from.buffer] : [folded.anchor.buffer]);

export const foldApi = {
  begin: (...args: Parameters<FoldService["begin"]>) => service.begin(...args),
  async restore(...args: Parameters<FoldService["restore"]>) {
    const restored = await service.restore(...args);
    return transfer(restored, [restored.local.buffer]);
  },
  encode(...args: Parameters<FoldService["encode"]>) {
    const update = service.encode(...args);
    return transfer(update, [update.buffer]);
  },
  aggregate(...args: Parameters<FoldService["aggregate"]>) {
    const made = service.aggregate(...args);
    return made && transfer(made, [made.update.buffer]);
  },
  fold: async (...args: Parameters<FoldService["fold"]>) => moved(await service.fold(...args)),
  foldPair: (...args: Parameters<FoldService["foldPair"]>) => moved(service.foldPair(...args)),
  async merge(...args: Parameters<FoldService["merge"]>) {
    const merged = await service.merge(...args);
    return merged && transfer(merged, [merged.anchor.buffer]);
  },
  checkpoint(...args: Parameters<FoldService["checkpoint"]>) {
    const made = service.checkpoint(...args);
    return (
      made &&
      transfer(
        made,
        made.sections.map(({ bytes }) => bytes.buffer),
      )
    );
  },
  anchor(...args: Parameters<FoldService["anchor"]>) {
    const anchor = service.anchor(...args);
    return anchor && transfer(anchor, [anchor.buffer]);
  },
};
export type FoldApi = typeof foldApi;
