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

/** The zone that times are shown in: the user's own, or this computer's. */
export function timeZone(): string {
  return zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
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

/** "Sat 28 Nov" in the user's time zone. */
export function formatWeekday(moment: number): string {
  const p = parts(moment, { weekday: "short", day: "numeric", month: "short" });
  return `${p.weekday ?? ""} ${p.day ?? ""} ${monthName(p.month)}`;
}

/** "2026-11-28T18:00" in the user's time zone, as an input of date and time takes it. */
export function toLocalInput(moment: number): string {
  const p = parts(moment, {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  return `${p.year ?? ""}-${p.month ?? ""}-${p.day ?? ""}T${p.hour ?? ""}:${p.minute ?? ""}`;
}

/**
 * The moment (ms since epoch) that a date and time of the user's time zone means; NaN when it is none.
 * A time that a clock change skips counts from the time before it; one that comes twice is the first.
 */
export function fromLocalInput(text: string): number {
  const wanted = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text) ? Date.parse(`${text}:00Z`) : NaN;
  if (Number.isNaN(wanted)) return NaN;
  const offset = (moment: number) => Date.parse(`${toLocalInput(moment)}:00Z`) - moment;
  const day = 24 * 3600_000;
  const found = [offset(wanted - day), offset(wanted + day)].map((one) => wanted - one);
  const exact = found.filter((one) => toLocalInput(one) === text);
  return exact.length > 0 ? Math.min(...exact) : Math.max(...found);
}

/** The calendar day in the user's zone, as the API takes it: "2026-11-24". */
export function today(now: number = Date.now()): string {
  const p = parts(now, { year: "numeric", month: "2-digit", day: "2-digit" });
  return `${p.year ?? ""}-${p.month ?? ""}-${p.day ?? ""}`;
}
