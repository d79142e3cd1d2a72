/** Lets the browser save a text or bytes as a file. */
export function saveFile(name: string, content: BlobPart): void {
  const target = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = target;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(target), 10_000);
}
