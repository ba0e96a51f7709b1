/** Dates as "24 Nov 14:32" in the user's time zone; the zone is set once, when the user is known. */
let zone: string | undefined;

export function setTimeZone(name: string | undefined): void {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: name });
    zone = name === "" ? undefined : name;
  } catch {
    zone = undefined;
  }
}

function parts(moment: number, options: Intl.DateTimeFormatOptions): Record<string, string> {
  const format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone });
  return Object.fromEntries(format.formatToParts(moment).map((part) => [part.type, part.value]));
}

function monthName(month: string | undefined): string {
  // en-GB abbreviates September to four letters; columns line up with three.
  return (month ?? "").slice(0, 3);
}

/** "24 Nov 14:32", with the year only when it is not this one. */
export function formatMoment(iso: string | null, now: number = Date.now()): string {
  if (!iso) return "–";
  const p = parts(Date.parse(iso), {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const year = parts(now, { year: "numeric" }).year;
  const date = `${p.day ?? ""} ${monthName(p.month)}${p.year === year ? "" : ` ${p.year ?? ""}`}`;
  return `${date} ${p.hour ?? ""}:${p.minute ?? ""}`;
}

/** "14:32" */
export function formatTime(moment: number): string {
  const p = parts(moment, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return `${p.hour ?? ""}:${p.minute ?? ""}`;
}

/** A calendar date without a zone ("2026-11-24" or DICOM "20261124") as "24 Nov 2026". */
export function formatDay(date: string | null): string {
  const match = /^(\d{4})-?(\d{2})-?(\d{2})/.exec(date ?? "");
  if (!match) return "–";
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  return `${String(Number(match[3]))} ${months[Number(match[2]) - 1] ?? "?"} ${match[1] ?? ""}`;
}
