// Prints a double as Go's `strconv.FormatFloat(x, 'g', -1, 64)`, the number text that OPA gives a float64.
// It decides how a policy prints a number of Envoy's metadata; the value is the same either way.

/** The shortest text that reads back as `value`, which is finite: `1`, `1.5`, `1e+06`, `1e-05`, `-0`. */
export function toGoNumberText(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const [mantissa = "", power = ""] = value.toExponential().split("e");
  const exponent = Number(power);
  // SPEC: strconv takes the exponent form below 10⁻⁴ and, when the digits are the shortest possible, from 10⁶ on.
  if (exponent >= -4 && exponent < 6) return plain(mantissa, exponent);
  const digits = String(Math.abs(exponent)).padStart(2, "0");
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
}

function plain(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith("-") ? "-" : "";
  const digits = mantissa.replace(/[-.]/g, "");
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return fraction === "" ? sign + whole : `${sign}${whole}.${fraction}`;
}
