using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Tests.Translation;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

public sealed class TextLengthTests
{
    [Property]
    public void A_text_is_as_long_as_its_UTF8_however_it_is_escaped(NonNull<string> any)
    {
        var text = new string([.. any.Get.Where(one => !char.IsSurrogate(one))]) + "é€😀\"\\\n";
        var escaped = JsonSerializer.SerializeToUtf8Bytes(text).AsSpan()[1..^1]; // All but ASCII, as \uXXXX.
        var units = Encoding.UTF8.GetBytes(string.Concat(text.Select(unit => $"\\u{(int)unit:x4}")));

        Assert.Equal(Encoding.UTF8.GetByteCount(text), TextLength.Of(escaped));
        Assert.Equal(Encoding.UTF8.GetByteCount(text), TextLength.Of(units));
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("\\", 1)]
    [InlineData("a\\u00", 4)]
    [InlineData("\\u00zz", 5)]
    [InlineData("\\ud83d", 2)]
    public void Halves_of_what_is_escaped_are_counted_too(string escaped, int length) => Assert.Equal(length, TextLength.Of(Encoding.UTF8.GetBytes(escaped)));

    [Theory]
    [InlineData("MessagesStreamToChat", """{"type":"message_start","message":{}}""", """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}""")]
    [InlineData("ConverseStreamToChat", """{"messageStart":{"role":"assistant"}}""", """{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"TEXT"}}}""")]
    [InlineData("GeminiStreamToMessages", "{}", """{"candidates":[{"content":{"parts":[{"text":"TEXT"}]}}]}""")]
    [InlineData("GeminiStreamToChat", "{}", """{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"TEXT"}}}]}}]}""")]
    [InlineData("ChatStreamToMessages", """{"choices":[]}""", """{"choices":[{"delta":{"content":"TEXT"}}]}""")]
    [InlineData("ChatStreamToResponses", """{"choices":[]}""", """{"choices":[{"delta":{"content":"TEXT"}}]}""")]
    public void A_translated_stream_counts_a_text_the_same_however_it_is_escaped(string pair, string first, string second)
    {
        var escaped = Produced("""\u00e9\ud83d\ude00\u0022""");

        Assert.Equal(Produced("é😀\\\""), escaped);
        Assert.Equal(7, escaped - Produced(""));

        long Produced(string text) => Translating.Stream(pair, [Encoding.UTF8.GetBytes($"data: {first}\n\ndata: {second.Replace("TEXT", text, StringComparison.Ordinal)}\n\n")]).Translator.TextBytes;
    }
}
