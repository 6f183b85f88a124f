using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A request of Chat that no provider sees: the first step of a composition writes it, the second reads it. It may hold what Chat has no members for and the provider takes, and it knows
/// where each part of it came from, so that what the second step cannot say is told by the name that the caller gave it.
/// </summary>
/// <param name="provider">The dialect of the second step.</param>
internal sealed class Middle(Dialect provider)
{
    private readonly List<Mark> marks = [];

    public Dialect Provider { get; } = provider;

    /// <summary>Whether the provider takes signed thinking back, as <c>thinking_blocks</c>.</summary>
    public bool TakesThinking => Provider is Dialect.Messages or Dialect.Converse;

    /// <summary>Notes where what is written next comes from.</summary>
    /// <param name="at">Bytes written before it.</param>
    /// <param name="path">The caller's.</param>
    /// <param name="isCopy">Whether all that is in it stands at the same place in the caller's.</param>
    public void Add(long at, string path, bool isCopy) => marks.Add(new Mark(at, path, isCopy));

    /// <summary>The same in the caller's words.</summary>
    public Untranslatable Of(Untranslatable refusal, ReadOnlySpan<byte> body)
    {
        var path = Of(refusal.Param, body);
        return refusal with { Param = path, Reason = refusal.Reason.Replace($"`{refusal.Param}`", $"`{path}`", StringComparison.Ordinal) };
    }

    /// <summary>The caller's path to what stands at a path of this request, or to the smallest part around it that came from the caller.</summary>
    /// <param name="path">Of this request.</param>
    /// <param name="body">This request.</param>
    public string Of(string path, ReadOnlySpan<byte> body)
    {
        var known = new Dictionary<long, Mark>();
        foreach (var mark in marks)
        {
            known[body[(int)mark.At] == (byte)',' ? mark.At + 1 : mark.At] = mark;
        }

        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = RequestReading.MaxDepth });
        reader.Read();
        var found = path;
        Follow(ref reader, "", path, known, ref found);
        return found;
    }

    private static void Follow(ref Utf8JsonReader reader, string here, string path, Dictionary<long, Mark> known, ref string found)
    {
        var isArray = reader.TokenType == JsonTokenType.StartArray;
        if (!isArray && reader.TokenType != JsonTokenType.StartObject)
        {
            return;
        }

        for (var index = 0; reader.Read() && reader.TokenType is not (JsonTokenType.EndArray or JsonTokenType.EndObject); index++)
        {
            var begin = reader.TokenStartIndex;
            var next = isArray ? $"{here}[{index}]" : $"{here}.{reader.GetString()}".TrimStart('.');
            if (!isArray)
            {
                reader.Read();
            }

            if (!path.StartsWith(next, StringComparison.Ordinal) || (path.Length > next.Length && path[next.Length] is not ('.' or '[')))
            {
                reader.Skip();
                continue;
            }

            if (known.TryGetValue(begin, out var mark))
            {
                var rest = path[next.Length..];
                found = mark.IsCopy || rest == ".type" ? mark.Path + rest : mark.Path; // All protocols tell kinds by `type`.
            }

            Follow(ref reader, next, path, known, ref found);
            return;
        }
    }

    private readonly record struct Mark(long At, string Path, bool IsCopy);
}
