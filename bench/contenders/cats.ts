const VALUE_BYTES = 200;

/** What an application keeps: a few fields, and as much text as is missing from 200 bytes of JSON. */
export function cat(id: number): object {
  const value = { id, name: `cat ${id}`, tags: ['a', 'b'], owner: { id: id * 7 }, text: '' };
  value.text = 'x'.repeat(VALUE_BYTES - JSON.stringify(value).length);
  return value;
}
