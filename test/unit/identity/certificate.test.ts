import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  decodeEnvoyCertificate,
  decodePem,
  parseCertificate,
  rereadCertificate,
} from "../../../src/identity/certificate.ts";
import { element, extension, oid, sequence } from "../../support/der-certificate.ts";
import {
  type CertificateProfile,
  issueAuthority,
  issueCertificate,
  nameConstraints,
  sharedKeys,
  toEnvoyText,
  toPem,
} from "../../support/signed-certificate.ts";

const ID = "spiffe://td1.test/a";
const root = issueAuthority(undefined, { uris: ["spiffe://td1.test"], subject: "root", pathLength: 3 });
const svid = (profile: CertificateProfile = {}) => issueCertificate(root, { uris: [ID], ...profile });
const good = svid({
  dnsNames: ["a.test", "b.test"],
  notBeforeUnixMs: Date.UTC(2026, 0, 1),
  notAfterUnixMs: Date.UTC(2051, 0, 1),
});

const codeOf = (der: Uint8Array): string | undefined => {
  const parsed = parseCertificate(der);
  return parsed.ok ? undefined : parsed.code;
};

describe("parseCertificate", () => {
  it("reads what identity rests on", () => {
    const parsed = parseCertificate(good.der);
    assert.ok(parsed.ok);
    const { fields, fingerprintSha256, x509 } = parsed.value;
    assert.equal(fingerprintSha256, x509.fingerprint256.replaceAll(":", "").toLowerCase());
    assert.equal(fields.serial, x509.serialNumber.toLowerCase());
    assert.deepEqual(fields.uris, [ID]);
    assert.deepEqual(fields.dnsNames, ["a.test", "b.test"]);
    assert.deepEqual(fields.key, { type: "EC", size: 256, weakness: undefined });
    assert.deepEqual(fields.signatureAlgorithm, { name: "ecdsa-with-SHA256", weakness: undefined });
    assert.equal(fields.notBeforeUnixMs, Date.UTC(2026, 0, 1));
    assert.equal(fields.notAfterUnixMs, Date.UTC(2051, 0, 1));
    assert.equal(fields.authorityKeyId, root.subjectKeyId);
    assert.equal(fields.subjectKeyId, good.subjectKeyId);
    assert.equal(fields.isAuthority, false);
    assert.deepEqual(Buffer.from(fields.issuerDer), root.subject);
    assert.deepEqual(Buffer.from(fields.subjectDer), good.subject);
    assert.deepEqual(Buffer.from(fields.publicKeyDer), good.keys.publicKeyDer);
  });

  it("reads an authority's flags and limits", () => {
    const parsed = parseCertificate(root.der);
    assert.ok(parsed.ok);
    const { fields } = parsed.value;
    assert.equal(fields.isAuthority, true);
    assert.equal(fields.pathLength, 3);
    assert.equal(fields.keyUsage?.keyCertSign, true);
    assert.equal(fields.keyUsage?.digitalSignature, false);
    assert.equal(fields.extendedKeyUsage, undefined);
    assert.equal(fields.nameConstraints, undefined);
  });

  for (const kind of ["P-384", "P-521", "RSA-2048", "Ed25519"] as const) {
    it(`reads the size of a ${kind} key`, () => {
      const parsed = parseCertificate(svid({ keys: sharedKeys(kind) }).der);
      assert.ok(parsed.ok);
      const size = kind === "Ed25519" ? 256 : Number(kind.split("-")[1]);
      assert.equal(parsed.value.fields.key.size, size);
      assert.equal(parsed.value.fields.key.weakness, undefined);
    });
  }

  it("gives a serial number without its sign, as OpenSSL does", () => {
    for (const [bytes, serial] of [
      [[0x00, 0xff, 0x01], "ff01"],
      [[0x00], "00"],
      [[0x01], "01"],
      [[0x7f, 0x00], "7f00"],
    ] as const) {
      const parsed = parseCertificate(svid({ serial: Buffer.from(bytes) }).der);
      assert.ok(parsed.ok);
      assert.equal(parsed.value.fields.serial, serial);
    }
  });

  const TRUE = element(0x01, Buffer.of(0xff));
  const rows: readonly (readonly [name: string, profile: CertificateProfile, code?: string])[] = [
    ["a negative serial number", { serial: Buffer.of(0xff) }, "cert_parse"],
    ["a serial number with an octet too much", { serial: Buffer.of(0, 1) }, "cert_parse"],
    ["a serial number of 22 octets", { serial: Buffer.alloc(22, 1) }, "cert_parse"],
    ["a serial number of 20 octets", { serial: Buffer.alloc(20, 1) }],
    ["names that are no sequence", { names: extension("551d11", false, element(0x04)) }, "cert_parse"],
    ["an empty list of names", { names: extension("551d11", false, sequence()) }, "cert_parse"],
    [
      "a flag of an extension that says false",
      { more: [sequence(oid("2b06010401"), element(0x01, Buffer.of(0)), element(0x04, Buffer.of(5, 0)))] },
      "cert_parse",
    ],
    [
      "a flag of an extension that is neither true nor false",
      { more: [sequence(oid("2b06010401"), element(0x01, Buffer.of(1)), element(0x04, Buffer.of(5, 0)))] },
      "cert_parse",
    ],
    ["an extension without a value", { more: [sequence(oid("2b06010401"))] }, "cert_parse"],
    [
      "an extension with two values",
      { more: [sequence(oid("2b06010401"), TRUE, element(0x04), element(0x04))] },
      "cert_parse",
    ],
    ["an extension of many octets", { more: [extension("2b06010401", false, Buffer.alloc(4000))] }],
    [
      "64 extensions and more",
      {
        more: Array.from({ length: 64 }, (_, index) =>
          extension(`2b0601${index.toString(16).padStart(2, "0")}`, false, Buffer.of(5, 0)),
        ),
      },
      "cert_parse",
    ],
    ["300 names", { dnsNames: Array.from({ length: 300 }, (_, index) => `n${index}.test`) }, "cert_parse"],
    ["200 names", { dnsNames: Array.from({ length: 200 }, (_, index) => `n${index}.test`) }],
    ["a path length of a leaf", { pathLength: 1 }, "cert_parse"],
    [
      "name constraints that constrain nothing",
      { isAuthority: true, nameConstraints: extension("551d1e", true, sequence()) },
      "cert_parse",
    ],
    [
      "name constraints of an empty list",
      { isAuthority: true, nameConstraints: extension("551d1e", true, sequence(element(0xa0))) },
      "cert_parse",
    ],
    [
      "name constraints with a maximum",
      {
        isAuthority: true,
        nameConstraints: extension(
          "551d1e",
          true,
          sequence(element(0xa0, sequence(element(0x86, Buffer.from("a")), element(0x81, Buffer.of(1))))),
        ),
      },
      "cert_parse",
    ],
    [
      "name constraints",
      { isAuthority: true, nameConstraints: nameConstraints([[0x86, "td1.test"]], [[0x82, "x.test"]]) },
    ],
    [
      "a thousand elements",
      {
        more: [
          extension(
            "2b06010401",
            false,
            sequence(...Array.from({ length: 250 }, () => sequence(sequence(sequence())))),
          ),
        ],
      },
      "cert_parse",
    ],
    [
      "names in thirty layers",
      {
        more: [
          extension(
            "2b06010401",
            false,
            Array.from({ length: 30 }).reduce<Buffer>((inner) => sequence(inner), sequence()),
          ),
        ],
      },
      "cert_parse",
    ],
    [
      "a URI in two layers",
      { names: extension("551d11", false, sequence(element(0xa6, element(0x16, Buffer.from(ID))))) },
      "cert_parse",
    ],
    [
      "a URI in two layers before another",
      {
        names: extension(
          "551d11",
          false,
          sequence(element(0xa6, element(0x16, Buffer.from(ID))), element(0x86, Buffer.from(ID))),
        ),
      },
      "cert_parse",
    ],
    [
      "a name of a tenth kind",
      { names: extension("551d11", false, sequence(element(0x89, Buffer.from("x")), element(0x86, Buffer.from(ID)))) },
      "cert_parse",
    ],
    [
      "names of every other kind",
      {
        names: extension(
          "551d11",
          false,
          sequence(
            element(0x86, Buffer.from(ID)),
            element(0x81, Buffer.from("a@b.test")),
            element(0x87, Buffer.of(10, 0, 0, 1)),
            element(0x88, Buffer.of(0x2a, 3)),
            element(0xa4, sequence()),
            element(0x82, Buffer.from("c.test")),
          ),
        ),
      },
    ],
  ];
  for (const [name, profile, code] of rows) {
    it(`${code === undefined ? "takes" : `says ${code} to`} a certificate with ${name}`, () => {
      assert.equal(codeOf(svid(profile).der), code);
    });
  }

  it("reads names of Latin-1 as its other readers do; the grammar of IDs is not asked here", () => {
    const parsed = parseCertificate(svid({ uris: [`${ID}\xe9`, `${ID}", URI:"urn:x`] }).der);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.fields.uris, [`${ID}\xe9`, `${ID}", URI:"urn:x`]);
  });

  it("refuses what its readers do not agree on", () => {
    const parsed = parseCertificate(svid({ keyUsage: [0] }).der);
    assert.deepEqual(parsed, { ok: false, code: "cert_parse", detail: "its readers do not agree on the key usage" });
    const keyIds = sequence(element(0x80, Buffer.of(1)), element(0x80, Buffer.of(2)));
    const twice = parseCertificate(svid({ authorityKeyId: null, more: [extension("551d23", false, keyIds)] }).der);
    assert.deepEqual(twice, { ok: false, code: "cert_parse", detail: "@peculiar/x509 cannot read it" });
  });

  it("reads again what it took, with the same outcome and without comparing", () => {
    const [once, again] = [parseCertificate(good.der), rereadCertificate(good.der)];
    assert.ok(once.ok && again.ok);
    assert.deepEqual(again.value.fields, once.value.fields);
    assert.equal(again.value.fingerprintSha256, once.value.fingerprintSha256);
    assert.equal(rereadCertificate(good.der.subarray(1)).ok, false);
  });
});

describe("decodePem", () => {
  const codesOf = (pem: string): string | number => {
    const parsed = decodePem(pem);
    return parsed.ok ? parsed.value.length : parsed.code;
  };

  it("reads every block in order, and passes over the text around them", () => {
    const parsed = decodePem(`# our root\n${root.pem}\nsubject=a\n${good.pem}`);
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.value.map((der) => Buffer.from(der)),
      [root.der, good.der],
    );
    assert.equal(codesOf(root.pem.replaceAll("\n", "\r\n")), 1);
    assert.equal(codesOf(root.pem.trimEnd()), 1);
  });

  const rows: readonly (readonly [name: string, pem: string])[] = [
    ["nothing", ""],
    ["no block", "hello"],
    ["a private key", `${root.pem}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`],
    ["a block without an end", root.pem.slice(0, -30)],
    ["a block without a beginning", root.pem.slice(30)],
    ["a block within a block", `-----BEGIN CERTIFICATE-----\n${root.pem}`],
    ["a character that is not base64", root.pem.replace(/\n./, "\n*")],
    ["a space in the base64", root.pem.replace(/\n./, "\n ")],
    ["base64 that says too much", root.pem.replace("\n-----END", "A\n-----END")],
    ["an empty block", "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n"],
    ["four million characters", " ".repeat(4 * 1024 * 1024 + 1)],
  ];
  for (const [name, pem] of rows) {
    it(`refuses ${name}`, () => assert.equal(codesOf(pem), "cert_parse"));
  }

  it("decodes a thousand blocks, and no more", () => {
    const block = toPem(Buffer.of(1));
    const decoded = decodePem(block.repeat(1000));
    assert.equal(decoded.ok && decoded.value.length, 1000);
    assert.equal(decodePem(block.repeat(1001)).ok, false);
  });
});

describe("decodeEnvoyCertificate", () => {
  const text = toEnvoyText(good.der);

  it("gives the DER of the one block, whichever characters are escaped", () => {
    for (const form of [
      text,
      encodeURIComponent(good.pem),
      good.pem,
      text.toLowerCase().includes("%2b") ? text : `${text}`,
    ]) {
      const decoded = decodeEnvoyCertificate(form);
      assert.ok(decoded.ok);
      assert.deepEqual(Buffer.from(decoded.value), good.der);
    }
  });

  it("takes a plus for a plus, and a space for nothing that belongs there", () => {
    // A certificate with a `+` in its base64: the signature differs each time.
    let der = good.der;
    while (!der.toString("base64").includes("+")) der = svid().der;
    const plain = toEnvoyText(der).replaceAll("%2B", "+");
    const decoded = decodeEnvoyCertificate(plain);
    assert.deepEqual(decoded.ok && Buffer.from(decoded.value), der);
    assert.equal(decodeEnvoyCertificate(plain.replaceAll("+", "%20")).ok, false);
  });

  // A signature is of this or that length: one of three certificates ends without padding.
  let padded = good.der;
  while (!padded.toString("base64").endsWith("=")) padded = svid().der;
  const body = toPem(good.der).split("\n").slice(1, -2).join("");
  const rows: readonly (readonly [name: string, text: string])[] = [
    ["nothing", ""],
    ["two blocks", text + text],
    ["text before the block", `x${text}`],
    ["text behind the block", `${text}x`],
    ["an empty line behind the block", `${text}%0A`],
    ["a percent sign at the end", `${text}%`],
    ["half an escape", text.replace("%20", "%2")],
    ["an escape that is not hexadecimal", text.replace("%0A", "%0G")],
    ["an escape that is no UTF-8", text.replace("%0A", "%FF")],
    ["a NUL", text.replace("%0A", "%00")],
    ["what was escaped twice", encodeURIComponent(text)],
    ["another label", text.replaceAll("CERTIFICATE", "X509%20CRL")],
    ["base64 without PEM", body],
    ["base64 without its padding", toEnvoyText(padded).replaceAll("%3D", "")],
    ["base64 with more padding", text.replace("%0A-----END", "%3D%3D%3D%0A-----END")],
    [
      "the other base64 alphabet",
      text
        .replaceAll("%2B", "-")
        .replaceAll("%2F", "_")
        .replace(/%0AMII/, "%0AMI-"),
    ],
    ["more than four times sixteen KiB", text + "A".repeat(70_000)],
  ];
  for (const [name, given] of rows) {
    it(`refuses ${name}`, () => {
      const decoded = decodeEnvoyCertificate(given);
      assert.equal(decoded.ok ? undefined : decoded.code, "cert_parse");
    });
  }

  it("refuses base64 whose last bits say nothing", () => {
    let der = good.der;
    while (der.length % 3 !== 1)
      der = svid({ more: [extension("2b06010401", false, Buffer.alloc(der.length % 3 === 2 ? 2 : 1))] }).der;
    const pem = toPem(der);
    const at = pem.indexOf("=") - 1;
    const next = String.fromCharCode(pem.charCodeAt(at) + 1);
    assert.equal(decodeEnvoyCertificate(pem).ok, true);
    assert.equal(decodeEnvoyCertificate(pem.slice(0, at) + next + pem.slice(at + 1)).ok, false);
  });
});
