import { useEffect, useRef, useState } from "react";

import styles from "./Report.module.css";

/** The report as a PDF: to keep, or straight to the printer. */
export function Paper({ reportId }: { reportId: string }) {
  const address = `/api/reports/${reportId}/pdf/`;
  const [printing, setPrinting] = useState(0);
  const frame = useRef<HTMLIFrameElement>(null);

  useEffect(() => {
    const shown = frame.current;
    if (printing === 0 || !shown) return;
    const print = () => {
      shown.contentWindow?.focus();
      shown.contentWindow?.print();
    };
    shown.addEventListener("load", print);
    return () => shown.removeEventListener("load", print);
  }, [printing]);

  return (
    <div className={styles.paper}>
      <a href={address} target="_blank" rel="noreferrer" data-testid="report-pdf">
        Open PDF
      </a>
      <a href={address} download={`report-${reportId}.pdf`}>
        Download
      </a>
      <button type="button" onClick={() => setPrinting(printing + 1)}>
        Print
      </button>
      {printing > 0 && <iframe key={printing} ref={frame} src={address} title="Report to print" hidden />}
    </div>
  );
}
