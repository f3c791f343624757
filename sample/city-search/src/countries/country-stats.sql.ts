/** Within this distance cities count as neighbours. */
export const NEIGHBOUR_KM = 10;

/**
 * A country's statistics, one row. Nothing of it is prepared: for a country of 10 000 cities it takes some 300 ms.
 *
 * Neighbours are found on a grid of cubes in space, whose edge is the distance asked for: what is nearer lies in the
 * same cube or in one of the 26 around it, at the poles and at 180° as anywhere else. Distances are through the Earth,
 * which at 10 km is shorter by a millimetre.
 *
 * The box is the narrowest: it begins behind the widest gap between neighbouring longitudes, so that the one of Fiji
 * crosses 180° (then west > east).
 */
export const COUNTRY_STATS = `
WITH city AS MATERIALIZED (
  SELECT id, name, lat, lng,
         6371 * cosd(lat) * cosd(lng) AS x, 6371 * cosd(lat) * sind(lng) AS y, 6371 * sind(lat) AS z
    FROM cities
   WHERE country = $1
), placed AS MATERIALIZED (
  SELECT *, (floor(x / ${NEIGHBOUR_KM}) * 4096 + floor(y / ${NEIGHBOUR_KM})) * 4096 + floor(z / ${NEIGHBOUR_KM}) AS cube
    FROM city
), around AS MATERIALIZED (
  SELECT (i * 4096 + j) * 4096 + k AS step
    FROM generate_series(-1, 1) i, generate_series(-1, 1) j, generate_series(-1, 1) k
), pair AS (
  SELECT a.id, (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) + (a.z - b.z) * (a.z - b.z) AS square
    FROM placed a CROSS JOIN around JOIN placed b ON b.cube = a.cube + around.step AND b.id <> a.id
), nearest AS MATERIALIZED (
  SELECT id, sqrt(min(square)) AS km, count(*)::int AS neighbours
    FROM pair
   WHERE square <= ${NEIGHBOUR_KM ** 2}
   GROUP BY id
), gap AS (
  SELECT lng AS east, coalesce(lead(lng) OVER eastward, first_value(lng) OVER eastward) AS west,
         coalesce(lead(lng) OVER eastward, first_value(lng) OVER eastward + 360) - lng AS width
    FROM city
  WINDOW eastward AS (ORDER BY lng)
), box AS (
  SELECT (SELECT min(lat) FROM city) AS south, (SELECT max(lat) FROM city) AS north, west, east
    FROM gap
   ORDER BY width DESC
   LIMIT 1
)
SELECT (SELECT count(*)::int FROM city) AS cities,
       to_json(box) AS box,
       (SELECT json_build_object('id', id, 'name', name) FROM city WHERE lat = north LIMIT 1) AS northernmost,
       (SELECT json_build_object('id', id, 'name', name) FROM city WHERE lat = south LIMIT 1) AS southernmost,
       (SELECT json_build_object('id', id, 'name', name) FROM city WHERE lng = west LIMIT 1) AS westernmost,
       (SELECT json_build_object('id', id, 'name', name) FROM city WHERE lng = east LIMIT 1) AS easternmost,
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY km) FROM nearest) AS "medianKmToNearest",
       (SELECT count(*)::int FROM city WHERE id NOT IN (SELECT id FROM nearest)) AS "withoutNeighbour",
       (SELECT json_build_object('id', id, 'name', name, 'neighbours', neighbours)
          FROM nearest JOIN city USING (id) ORDER BY neighbours DESC, id LIMIT 1) AS "mostNeighbours"
  FROM box`;
