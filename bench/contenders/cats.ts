/** What an application keeps: a few fields, and as much text as is missing from so many bytes of JSON. */
export function cat(id: number, bytes = 200): object {
  const value = { id, name: `cat ${id}`, tags: ['a', 'b'], owner: { id: id * 7 }, text: '' };
  value.text = 'x'.repeat(Math.max(0, bytes - JSON.stringify(value).length));
  return value;
}
