/** Draws `k0`, `k1`, …, the n-th with a probability in proportion to n^-exponent. */
export function zipf(keys: number, exponent: number): () => string {
  const upTo: number[] = [];
  let sum = 0;
  for (let n = 1; n <= keys; n++) upTo.push((sum += n ** -exponent));
  return () => {
    const drawn = Math.random() * sum;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! < drawn) low = middle + 1;
      else high = middle;
    }
    return `k${low}`;
  };
}
