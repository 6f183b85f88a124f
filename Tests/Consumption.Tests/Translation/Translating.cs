using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Translation;

namespace LlmMarketplace.Consumption.Tests.Translation;

/// <summary>Runs the translators as the relay does: bytes into the buffer, whole events out of it, each translated.</summary>
internal static partial class Translating
{
    public static AnswerHead Head { get; } = new(Guid.Parse("019ad000-0000-7000-8000-000000000001"), "acme/model", DateTimeOffset.FromUnixTimeSeconds(1_700_000_000)) { WantsUsage = true };

    public static Dialect Caller(string pair) => Dialects(pair).Caller;

    public static Dialect Provider(string pair) => Dialects(pair).Provider;

    /// <summary>The provider's dialect of the only other pair.</summary>
    public static Dialect Provider(Dialect caller) => caller == Dialect.Chat ? Dialect.Messages : Dialect.Chat;

    public static (byte[] Output, StreamState State, StreamTranslator Translator) Stream(string pair, IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var translator = Translators.Stream(Caller(pair), Provider(pair), Head);
        var output = new ArrayBufferWriter<byte>();
        using var buffer = new SseBuffer(1024 * 1024);
        foreach (var piece in pieces)
        {
            for (var rest = piece; !rest.IsEmpty;)
            {
                var room = buffer.Room();
                var count = Math.Min(room.Length, rest.Length);
                rest[..count].CopyTo(room);
                rest = rest[count..];
                buffer.Filled(count);
                while (buffer.TryTake(out var text))
                {
                    var data = SseEvent.Data(text.Span, out var has);
                    if (has)
                    {
                        translator.Feed(data, output);
                    }
                }
            }
        }

        translator.TryFinish(output);
        return (output.WrittenSpan.ToArray(), translator.State, translator);
    }

    public static IEnumerable<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> bytes, IReadOnlyList<int> sizes)
    {
        for (var i = 0; !bytes.IsEmpty; i++)
        {
            var size = sizes.Count == 0 ? bytes.Length : Math.Min(bytes.Length, 1 + (Math.Abs(sizes[i % sizes.Count] % 97)));
            yield return bytes[..size];
            bytes = bytes[size..];
        }
    }

    /// <summary>Of a translator, by its name: <c>ChatRequestToGemini</c>, <c>GeminiStreamToChat</c>.</summary>
    private static (Dialect Caller, Dialect Provider) Dialects(string pair)
    {
        var names = Name().Match(pair).Groups;
        var (from, to) = (Enum.Parse<Dialect>(names[1].Value), Enum.Parse<Dialect>(names[3].Value));
        return names[2].Value == "Request" ? (from, to) : (to, from);
    }

    [GeneratedRegex("^(Chat|Messages|Responses|Gemini|Converse)(Request|Answer|Stream)To([A-Za-z]+)$")]
    private static partial Regex Name();

    public static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
