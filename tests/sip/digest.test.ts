import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { digestAlgorithm, digestResponse, equalDigests, userDigest } from "../../src/sip/digest.ts";

const MUFASA = {
  method: "GET",
  uri: "/dir/index.html",
  nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
  auth: { nc: "00000001", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop: "auth" },
};

test("the examples of RFC 7616 §3.9.1", () => {
  const answer = (algorithm: "MD5" | "SHA-256") =>
    digestResponse({
      ...MUFASA,
      algorithm,
      ha1: userDigest(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life"),
    });
  expect(answer("MD5")).toBe("8ca523f5e9506fed4657c9700eebdbec");
  expect(answer("SHA-256")).toBe("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
});

test("the example of RFC 7616 §3.9.2 with SHA-512-256, as its erratum 4897 corrects it", () => {
  const ha1 = userDigest("SHA-512-256", "Jäsøn Doe", "api@example.org", "Secret, or not?");
  expect(digestResponse({
    algorithm: "SHA-512-256",
    ha1,
    method: "GET",
    uri: "/doe.json",
    nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
    auth: { nc: "00000001", cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop: "auth" },
  })).toBe("3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
});

test("the example of RFC 2617 §3.5, and the form of RFC 2069 without qop", () => {
  const common = {
    algorithm: "MD5",
    method: "GET",
    uri: "/dir/index.html",
    nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
  } as const;
  expect(digestResponse({
    ...common,
    ha1: userDigest("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life"),
    auth: { nc: "00000001", cnonce: "0a4f113b", qop: "auth" },
  })).toBe("6629fae49393a05397450978507c4ef1");
  const ha1 = userDigest("MD5", "Mufasa", "testrealm@host.com", "CircleOfLife");
  // RFC 2069 §2.4 as its erratum 749 corrects it.
  expect(digestResponse({ ...common, ha1 })).toBe("1949323746fe6a43ef61f9606e7febea");
});

test("SHA-512-256 is the platform's", () => {
  expect(userDigest("SHA-512-256", "a", "b", "c")).toBe(createHash("sha512-256").update("a:b:c").digest("hex"));
});

test("algorithms are read without case; none is MD5, -sess is none of ours", () => {
  expect([undefined, "md5", "sha-256", "SHA-512-256", "MD5-sess", ""].map(digestAlgorithm))
    .toEqual(["MD5", "MD5", "SHA-256", "SHA-512-256", undefined, undefined]);
});

test("digests are compared without case, whatever their lengths", () => {
  expect(equalDigests("ab01", "AB01")).toBe(true);
  expect(equalDigests("ab01", "ab02")).toBe(false);
  expect(equalDigests("ab01", "")).toBe(false);
});
