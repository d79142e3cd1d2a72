/** A bar of 0 to 100; without a value it only moves. */
export function Progress({ value, label, tone = 'info' }: { value: number | null; label: string; tone?: 'info' | 'good' | 'warning' }) {
  const known = value === null ? {} : { 'aria-valuenow': Math.round(value) };
  return (
    <div class={`progress ${tone} ${value === null ? 'unknown' : ''}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} {...known}>
      <span style={{ width: `${value ?? 30}%` }} />
    </div>
  );
}
