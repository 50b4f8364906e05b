// Go's strconv.FormatFloat for float64: formats e, E, f, g, G, x, X, b with exact digits and round half to even.
// JavaScript's toFixed and toPrecision stop at 100 digits and round ties up, so digits are made here.

/** Decimal digits of a positive number: 0.d1d2d3… × 10^point; no trailing zeros, empty for zero. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

/** Sign, 53-bit mantissa and binary exponent: value = mantissa × 2^exponent. */
function unpack(value: number): { negative: boolean; mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { negative: bits >> 63n === 1n, mantissa, exponent: (biased === 0 ? 1 : biased) - 1075 };
}

const trimmed = (digits: string, point: number): Decimal => {
  const kept = digits.replace(/0+$/, "");
  return { digits: kept, point: kept === "" ? 0 : point };
};

function exactDecimal(value: number): Decimal {
  const { mantissa, exponent } = unpack(value);
  if (mantissa === 0n) return { digits: "", point: 0 };
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  const text = scaled.toString();
  return trimmed(text, exponent >= 0 ? text.length : text.length + exponent);
}

function shortestDecimal(value: number): Decimal {
  if (value === 0) return { digits: "", point: 0 };
  const [mantissa = "", exponent = "0"] = Math.abs(value).toExponential().split("e");
  return trimmed(mantissa.replace(".", ""), Number(exponent) + 1);
}

/** Rounds to `count` digits, half to even; the digits are exact, so a tie is a true tie. */
function rounded(decimal: Decimal, count: number): Decimal {
  if (count < 0) return { digits: "", point: 0 };
  if (count >= decimal.digits.length) return decimal;
  const kept = decimal.digits.slice(0, count);
  const rest = decimal.digits.slice(count);
  const lastIsOdd = count > 0 && Number(kept.at(-1)) % 2 === 1;
  const up = rest > "5" || (rest === "5" && lastIsOdd);
  if (!up) return trimmed(kept, decimal.point);
  const raised = (BigInt(kept === "" ? "0" : kept) + 1n).toString();
  return trimmed(raised, decimal.point + raised.length - kept.length);
}

function scientific({ digits, point }: Decimal, precision: number, marker: string): string {
  const exponent = digits === "" ? 0 : point - 1;
  const first = digits[0] ?? "0";
  const more = precision > 0 ? `.${digits.slice(1, precision + 1).padEnd(precision, "0")}` : "";
  return `${first}${more}${marker}${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function positional({ digits, point }: Decimal, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  if (precision <= 0) return whole;
  const zeros = point < 0 ? Math.min(-point, precision) : 0;
  const fraction = "0".repeat(zeros) + digits.slice(Math.max(point, 0), Math.max(point, 0) + precision - zeros);
  return `${whole}.${fraction.padEnd(precision, "0")}`;
}

function general(value: number, precision: number, marker: "e" | "E"): string {
  const shortest = precision < 0;
  const wanted = shortest ? 0 : Math.max(precision, 1);
  const decimal = shortest ? shortestDecimal(value) : rounded(exactDecimal(value), wanted);
  const count = decimal.digits.length;
  const prec = shortest ? count : wanted;
  const threshold = shortest ? 6 : prec > count && count >= decimal.point ? count : prec;
  const exponent = decimal.point - 1;
  if (exponent < -4 || exponent >= threshold) return scientific(decimal, Math.min(prec, count) - 1, marker);
  return positional(decimal, Math.max((prec > decimal.point ? count : prec) - decimal.point, 0));
}

function hexadecimal(value: number, precision: number, upper: boolean): string {
  let { mantissa, exponent } = unpack(value);
  exponent = mantissa === 0n ? 0 : exponent + 52;
  mantissa <<= 8n; // The leading 1, if any, at bit 60.
  while (mantissa !== 0n && (mantissa & (1n << 60n)) === 0n) {
    mantissa <<= 1n;
    exponent--;
  }
  if (precision >= 0 && precision < 15) {
    const shift = BigInt(precision * 4);
    const extra = (mantissa << shift) & ((1n << 60n) - 1n);
    mantissa >>= 60n - shift;
    if ((extra | (mantissa & 1n)) > 1n << 59n) mantissa++;
    mantissa <<= 60n - shift;
    if ((mantissa & (1n << 61n)) !== 0n) {
      mantissa >>= 1n;
      exponent++;
    }
  }
  const fraction = (mantissa & ((1n << 60n) - 1n)).toString(16).padStart(15, "0");
  const shown = precision < 0 ? fraction.replace(/0+$/, "") : fraction.padEnd(precision, "0").slice(0, precision);
  const sign = exponent < 0 ? "-" : "+";
  const power = String(Math.abs(exponent)).padStart(2, "0");
  const text = `0x${mantissa >> 60n}${shown === "" ? "" : `.${shown}`}p${sign}${power}`;
  return upper ? text.toUpperCase() : text;
}

/**
 * `value` as `strconv.FormatFloat(value, format, precision, 64)` prints it; `precision` -1 asks for the fewest digits
 * that read back as the same number. NaN and infinities do not occur in Rego.
 */
export function formatFloat(
  value: number,
  format: "e" | "E" | "f" | "g" | "G" | "x" | "X" | "b",
  precision: number,
): string {
  const { negative, mantissa, exponent } = unpack(value);
  const sign = negative ? "-" : "";
  const magnitude = Math.abs(value);
  switch (format) {
    case "b":
      return `${sign}${mantissa}p${exponent >= 0 ? "+" : ""}${exponent}`;
    case "x":
    case "X":
      return sign + hexadecimal(magnitude, precision, format === "X");
    case "g":
      return sign + general(magnitude, precision, "e");
    case "G":
      return sign + general(magnitude, precision, "E");
    case "f": {
      const shortest = shortestDecimal(magnitude);
      if (precision < 0) return sign + positional(shortest, Math.max(shortest.digits.length - shortest.point, 0));
      const exact = exactDecimal(magnitude);
      return sign + positional(rounded(exact, exact.point + precision), precision);
    }
    case "e":
    case "E": {
      const shortest = shortestDecimal(magnitude);
      if (precision < 0) return sign + scientific(shortest, Math.max(shortest.digits.length - 1, 0), format);
      return sign + scientific(rounded(exactDecimal(magnitude), precision + 1), precision, format);
    }
  }
}
