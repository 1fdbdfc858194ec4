import { fieldNames, fieldText } from "../format";

/** Fields as a list of names and values. */
export function FieldList({ fields }: { fields: Record<string, unknown> }) {
  const names = fieldNames(fields);
  if (names.length === 0) return null;
  return (
    <dl class="fields">
      {names.map((name) => (
        <div key={name}>
          <dt>
            <bdi>{name}</bdi>
          </dt>
          <dd>
            <bdi>{fieldText(fields[name])}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
