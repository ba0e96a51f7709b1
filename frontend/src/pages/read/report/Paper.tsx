import styles from "./Report.module.css";

/** The report as a PDF: in a tab of its own, where the browser prints it, or to keep. */
export function Paper({ reportId }: { reportId: string }) {
  const address = `/api/reports/${reportId}/pdf/`;
  return (
    <div className={styles.paper}>
      <a href={address} target="_blank" rel="noreferrer" data-testid="report-pdf">
        Open PDF to read or print
      </a>
      <a href={address} download={`report-${reportId}.pdf`}>
        Download
      </a>
    </div>
  );
}
