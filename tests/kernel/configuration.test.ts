import { expect, test } from "bun:test";
import { faults, host, read } from "./fixture.ts";

test("every fault comes at once, with line, column and the nearest valid name", async () => {
  expect(
    await faults(`{
  "core": {
    "limits": { "calls": 0, "cals": 1 },
    "transports": { "udp": { "bnid": "udp:0.0.0.0:5060" } },
    "endpoints": {
      "alice": { "dtmfMode": "rfc4734", "aors": "alise", "transport": "upd" },
      "bob": { "context": "intrenal", "forcerport": true }
    },
    "aors": { "alice": {} }
  },
  "regstrar": {},
  "nat": { "x": 1 },
  "dialplan": { "internal": { "600": 7 } }
}`),
  ).toEqual([
    "3:26 core.limits.calls: expected >=1, found 0",
    '3:29 core.limits: unknown key "cals"; did you mean "calls"?',
    '4:28 core.transports.udp: "bind" is missing',
    '4:30 core.transports.udp: unknown key "bnid"; did you mean "bind"?',
    '6:30 core.endpoints.alice.dtmfMode: expected "rfc4733" | "inband" | "info" | "auto", found "rfc4734"; did you mean "rfc4733"?',
    '6:49 core.endpoints.alice.aors: there is no aor "alise"; did you mean "alice"?',
    '6:71 core.endpoints.alice.transport: there is no transport "upd"; did you mean "udp"?',
    '7:39 core.endpoints.bob: unknown key "forcerport"; did you mean "forceRport"?',
    '11:3 there is no module "regstrar"; did you mean "registrar"?',
    '12:12 nat: unknown key "x"',
    "13:38 dialplan.internal.600: expected text in quotes, found 7",
  ]);
});

test("a reference to a context that does not exist is a fault", async () => {
  expect(await faults('{"core": {"endpoints": {"a": {"context": "intrenal"}}}, "dialplan": {"internal": {}}}')).toEqual(
    [
      '1:42 core.endpoints.a.context: there is no context "intrenal"; did you mean "internal"?',
    ],
  );
});

test("a field of a module that is not loaded names the module to add", async () => {
  expect(await faults('{"core": {"endpoints": {"a": {"forceRport": true}}}}')).toEqual([
    '1:31 core.endpoints.a: "forceRport" belongs to the module "nat", which is not in the manifest: add "nat": {}',
  ]);
});

test("checks of modules name the place below their key", async () => {
  expect(await faults('{"core": {}, "dialplan": {"internal": {\n"600": ""}}}')).toEqual([
    "2:8 dialplan.internal.600: there is no step",
  ]);
});

test("fields of all modules are in an object, with their defaults; a singleton is always there", async () => {
  const { objects } = await read(
    '{"core": {"endpoints": {"a": {"aors": "x, y"}}, "aors": {"x": {}, "y": {}}}, "nat": {}}',
  );
  expect(objects.find(({ type }) => type === "endpoint")?.values).toEqual({
    context: "default",
    aors: ["x", "y"],
    auth: [],
    dtmfMode: "rfc4733",
    forceRport: true,
  });
  expect(objects.find(({ type }) => type === "global")?.values).toEqual({ userAgent: "patchbay", natTimer: 5 });
});

test("an endpoint with a password has an auth and an aor of its own, with the fields that are theirs", async () => {
  const manifest = `{"core": {
    "templates": {"phone": {"context": "internal", "maxContacts": 3}, "loud": {"use": "phone", "dtmfMode": "inband"}},
    "endpoints": {"alice": {"use": "loud", "password": "x"}, "trunk": {"contact": ["sip:192.0.2.9"]}}
  }, "registrar": {}}`;
  const { objects } = await read(manifest);
  const values = (type: string, id: string) =>
    objects.find((object) => object.type === type && object.id === id)?.values;
  expect(values("endpoint", "alice")).toMatchObject({ context: "internal", dtmfMode: "inband", aors: ["alice"] });
  expect(values("auth", "alice")).toEqual({ username: "alice", password: "x" });
  expect(values("aor", "alice")).toEqual({ contact: [], maxContacts: 3 });
  expect(values("endpoint", "trunk")).toMatchObject({ aors: ["trunk"], auth: [] });
  expect(values("aor", "trunk")).toEqual({ contact: ["sip:192.0.2.9"], maxContacts: 1 });
});

test("a shorthand beside the object it stands for is a fault", async () => {
  expect(
    await faults(
      '{"core": {"endpoints": {"a": {"password": "x", "maxContacts": 2}}, "aors": {"a": {}}}, "registrar": {}}',
    ),
  ).toEqual(['1:48 "maxContacts" belongs to core.aors.a, which is written too']);
});

test("templates: the object wins over its templates, later ones over earlier; circles and unknown names are faults", async () => {
  const { objects } = await read(`{"core": {
    "templates": {"a": {"dtmfMode": "info", "transport": "t"}, "b": {"dtmfMode": "auto"}},
    "transports": {"t": {"bind": "udp:0.0.0.0:5060"}},
    "endpoints": {"x": {"use": ["a", "b"]}, "y": {"use": ["a", "b"], "dtmfMode": "inband"}}}}`);
  const modes = objects.filter(({ type }) => type === "endpoint").map(({ values }) => values.dtmfMode);
  expect(modes).toEqual(["auto", "inband"]);
  expect(
    await faults(
      '{"core": {"templates": {"a": {"use": "b"}, "b": {"use": "a"}}, "endpoints": {"x": {"use": ["a", "c"]}}}}',
    ),
  ).toEqual([
    "1:57 templates use each other in a circle: a → b → a",
    '1:97 there is no template "c"; expected one of "a", "b"',
  ]);
});

test("texts come from the environment, from files and from kept secrets; what is missing is a fault", async () => {
  const { files } = host();
  await files.write("./password.txt", new TextEncoder().encode("from a file\n"));
  const endpoint = (password: string) => `{"core": {"endpoints": {"a": {"password": ${password}}}}}`;
  const password = async (written: string) =>
    (await read(endpoint(written), { files })).objects.find(({ type }) => type === "auth")?.values.password;
  expect(await password('"${env:SECRET}!"')).toBe("from the environment!");
  expect(await password('"${file:password.txt}"')).toBe("from a file");
  expect(await password('"${generated:a}"')).toBe("made for a");
  expect(await password('{ "env": "SECRET" }')).toBe("from the environment");
  expect(await password('{ "file": "password.txt" }')).toBe("from a file");
  expect(await password('"${exten}"')).toBe("${exten}");
  expect(await faults(endpoint('"${env:NOBODY}"'))).toEqual(["1:43 the environment variable NOBODY is not set"]);
  expect(await faults(endpoint('{ "file": "none" }'))).toEqual(["1:43 there is no file ./none"]);
});

test("a wrong secret is not shown", async () => {
  expect(await faults('{"core": {"endpoints": {"a": {"password": 12345}}}}')).toEqual([
    "1:43 core.auths.a.password: expected text in quotes, found another value",
  ]);
});

test("an external module that cannot be read is a fault at its key", async () => {
  expect(await faults('{\n"./mine.ts": {}}')).toEqual(['2:1 "./mine.ts" cannot be loaded: there is no such file']);
});
