import { useQuery } from "@tanstack/react-query";

import { activeTemplatesQuery } from "../../../api/queries";
import type { Report } from "../../../api/types";
import styles from "./Report.module.css";

interface Props {
  report: Report;
  onUse: (template: number) => void;
}

/** Which template the report follows; another one keeps every word. */
export function TemplateLine({ report, onUse }: Props) {
  const templates = useQuery(activeTemplatesQuery).data ?? [];
  const used = report.template;
  const others = templates.filter((one) => one.id !== used?.id);
  if (!used && others.length === 0) return null;
  return (
    <label className={styles.templateLine}>
      Template
      <select
        data-testid="template"
        value={used?.id ?? ""}
        onChange={(event) => event.currentTarget.value && onUse(Number(event.currentTarget.value))}
      >
        {used ? (
          <option value={used.id}>
            {used.name}, version {used.version}
          </option>
        ) : (
          <option value="">none</option>
        )}
        {others.map((one) => (
          <option key={one.id} value={one.id}>
            {one.name}, version {one.version}
          </option>
        ))}
      </select>
      {used && used.macros.length > 0 && (
        <span title="Type the name and press Tab">{used.macros.map((one) => `.${one.name}`).join(" ")}</span>
      )}
    </label>
  );
}
