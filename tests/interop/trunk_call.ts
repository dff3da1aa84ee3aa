// One call of a sipp trunk through the server to a sipp that answers.
import { join } from "node:path";
import { ADDRESS } from "./manifest.ts";
import { Sipp } from "./peers/sipp.ts";

export const scenario = (name: string) => join(import.meta.dir, "scenarios", `${name}.xml`);

/** The trunk calls `user`; who answers listens on `port`. Rejects unless the call went well. */
export async function trunkCall(user: string, port: number): Promise<void> {
  const uas = await Sipp.start({ scenario: scenario("uas"), port, calls: 1, mediaPort: 18200 });
  const uac = await Sipp.start({
    scenario: scenario("uac"),
    remote: ADDRESS,
    port: 15180,
    calls: 1,
    mediaPort: 18100,
    keys: { caller: "trunk" },
    user,
    timeoutSeconds: 20,
  });
  await uac.succeeded();
  await uas.succeeded();
}
