import { useState } from "react";

import styles from "./Er.module.css";

/** A small grey picture to know the patient's study by; never to read from. */
export function Preview({ url, caption }: { url: string; caption: string }) {
  const [failed, setFailed] = useState("");
  return (
    <figure className={styles.preview}>
      {url && failed !== url ? (
        <img src={url} alt="" onError={() => setFailed(url)} />
      ) : (
        <div className={styles.noPreview}>no preview</div>
      )}
      <figcaption>{caption || "not for diagnostic use"}</figcaption>
    </figure>
  );
}
