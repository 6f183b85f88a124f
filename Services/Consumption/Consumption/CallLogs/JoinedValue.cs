using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>A value that is told by several events, each with a part of it: <see cref="JoinEvents"/>.</summary>
internal sealed class JoinedValue
{
    // In a delta, but told whole.
    private static readonly HashSet<string> Whole = new(StringComparer.Ordinal) { "type", "role", "id", "object", "name", "stop_reason", "finish_reason", "stop_sequence" };

    // One of these at a time.
    private OrderedDictionary<string, JoinedValue>? members;
    private List<JoinedValue>? items;
    private Dictionary<int, int>? places; // Of items that say their index.
    private StringBuilder? text;
    private JsonNode? other;

    /// <summary>Takes what one more event says. A null takes nothing away.</summary>
    /// <param name="more">What it says.</param>
    /// <param name="name">Of which member, or of an item of which.</param>
    /// <param name="isPiece">Whether its strings go on from those before.</param>
    /// <exception cref="InvalidOperationException">A string holds half a surrogate pair.</exception>
    public void Take(JsonElement more, string? name, bool isPiece)
    {
        switch (more.ValueKind)
        {
            case JsonValueKind.Null:
                break;
            case JsonValueKind.Object:
                Become(ref members);
                foreach (var member in more.EnumerateObject())
                {
                    Member(member.Name).Take(member.Value, member.Name, isPiece || member.NameEquals("delta") || (name == "choices" && member.NameEquals("text")));
                }

                break;
            case JsonValueKind.Array:
                Become(ref items);
                var position = 0;
                foreach (var item in more.EnumerateArray())
                {
                    Item(item, position++).Take(item, name, isPiece);
                }

                break;
            case JsonValueKind.String:
                Become(ref text);
                (isPiece && !Whole.Contains(name!) ? text! : text!.Clear()).Append(more.GetString());
                break;
            default:
                (members, items, places, text, other) = (null, null, null, null, JsonValue.Create(more.Clone()));
                break;
        }
    }

    public JsonNode? ToNode() => members is not null
        ? new JsonObject(members.Select(member => KeyValuePair.Create(member.Key, member.Value.ToNode())))
        : items is not null ? new JsonArray([.. items.Select(item => item.ToNode())]) : text is not null ? JsonValue.Create(text.ToString()) : other;

    private void Become<T>(ref T? kind)
        where T : class, new()
    {
        if (kind is null)
        {
            (members, items, places, text, other) = (null, null, null, null, null);
            kind = new();
        }
    }

    private JoinedValue Member(string name)
    {
        if (!members!.TryGetValue(name, out var member))
        {
            members.Add(name, member = new JoinedValue());
        }

        return member;
    }

    /// <summary>The item that says the same index; of those that say none, the one at the same place.</summary>
    private JoinedValue Item(JsonElement item, int position)
    {
        var place = position;
        if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("index", out var told) && told.ValueKind == JsonValueKind.Number && told.TryGetInt32(out var index))
        {
            places ??= [];
            if (!places.TryGetValue(index, out place))
            {
                places[index] = place = items!.Count;
            }
        }

        if (place >= items!.Count)
        {
            items.Add(new JoinedValue());
            place = items.Count - 1;
        }

        return items[place];
    }
}
