using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>One whole server-sent event, read.</summary>
/// <param name="IsDone">Whether it ends the stream: <c>data: [DONE]</c>, or the last event of its dialect.</param>
/// <param name="HasData">False for comments and the like.</param>
/// <param name="Facts">What its data tells us.</param>
internal readonly record struct SseEvent(bool IsDone, bool HasData, AnswerFacts Facts)
{
    /// <summary>A chunk that carries usage and nothing else: only who asked for it gets it.</summary>
    public bool IsOnlyUsage => Facts is { HasUsage: true, HasContent: false, IsError: false };

    /// <param name="text">The event.</param>
    /// <param name="dialect">How its data is laid out.</param>
    /// <param name="usage">Takes what it tells of usage.</param>
    /// <exception cref="JsonException">The data is neither JSON nor <c>[DONE]</c>.</exception>
    public static SseEvent Read(ReadOnlySpan<byte> text, Dialect dialect, ref UsageFields usage)
    {
        var data = Data(text, out var has);
        if (!has)
        {
            return new SseEvent(false, false, default);
        }

        if (data.SequenceEqual("[DONE]"u8))
        {
            return new SseEvent(true, true, default);
        }

        var facts = ReadUsage.Read(data, dialect, ref usage);
        return new SseEvent(facts.IsEnd && !facts.IsError, true, facts);
    }

    /// <summary>The event's data: the values of its <c>data</c> lines, one below the other.</summary>
    public static ReadOnlySpan<byte> Data(ReadOnlySpan<byte> text, out bool has)
    {
        ReadOnlySpan<byte> only = default;
        List<byte>? several = null;
        has = false;
        if (text.StartsWith("\uFEFF"u8))
        {
            text = text[3..]; // A stream may begin with a byte order mark.
        }

        while (!text.IsEmpty)
        {
            var length = text.IndexOfAny((byte)'\n', (byte)'\r');
            var line = length < 0 ? text : text[..length];
            text = length < 0 ? default : text[(length + 1)..];
            if (!line.StartsWith("data"u8) || (line.Length > 4 && line[4] != ':'))
            {
                continue;
            }

            var value = line.Length <= 5 ? default : line[5] == ' ' ? line[6..] : line[5..];
            if (has)
            {
                several ??= [.. only];
                several.Add((byte)'\n');
                several.AddRange(value);
            }

            only = value;
            has = true;
        }

        return several is null ? only : several.ToArray();
    }
}
