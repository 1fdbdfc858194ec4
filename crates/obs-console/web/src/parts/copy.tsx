import { useEffect, useRef, useState } from "preact/hooks";

/**
 * Copies a text to the clipboard, and returns whether that was possible. A browser gives no clipboard to a page of plain `http` from
 * another machine.
 */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Button that copies a text. If that fails, the text is in a field, selected, so that the reader can copy it. */
export function CopyButton({ label, text }: { label: string; text: () => string }) {
  const [isCopied, setCopied] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.select(), [failed]);
  const click = async () => {
    const wanted = text();
    setCopied(false);
    setFailed(null);
    if (await copy(wanted)) setCopied(true);
    else setFailed(wanted);
  };
  return (
    <>
      <button type="button" onClick={() => void click()}>
        {label}
      </button>{" "}
      <span role="status">{isCopied ? "Copied." : failed !== null && "The browser does not let this page copy. The text is selected below: press Ctrl+C."}</span>
      {failed !== null && <textarea class="copied" ref={field} readOnly rows={6} value={failed} aria-label="Text to copy" />}
    </>
  );
}
