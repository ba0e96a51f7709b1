import { Button, Skeleton } from "@mantine/core";
import type { ReactNode } from "react";

import { explain } from "../api/client";
import styles from "./states.module.css";

/** Grey bars where rows will be; keeps the page from jumping when they come. */
export function LoadingRows({ rows = 12, height = 36 }: { rows?: number; height?: number }) {
  return (
    <div role="status" aria-label="Loading" className={styles.loading}>
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} height={height - 8} radius="sm" animate={false} />
      ))}
    </div>
  );
}

/** Nothing here: says why that may be, and what to do next. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={styles.empty} role="status">
      <p className={styles.title}>{title}</p>
      <div>{children}</div>
    </div>
  );
}

/** An error at the place of the work, with the way on. */
export function Failed({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  return (
    <div className={styles.failed} role="alert">
      <span>{explain(error)}</span>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}
