using System.Text;
using LlmMarketplace.Consumption.Calls;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

public sealed class EditedBodyTests
{
    private const string Usage = "\"include_usage\":true";

    [Theory]
    [InlineData("""{"model":"a/b"}""", """{"model":"their/own-id"}""")]
    [InlineData("""  { "x":1, "model" : "a/b" , "y":[ ] }  """, """  { "x":1, "model" : "their/own-id" , "y":[ ] }  """)]
    [InlineData("""{"nested":{"model":"a/b"},"model":"a\/b"}""", """{"nested":{"model":"a/b"},"model":"their/own-id"}""")]
    public async Task Of_a_whole_call_only_the_model_is_written_anew(string body, string sent) =>
        Assert.Equal(sent, await EditAsync(Surface.ChatCompletions, body, "their/own-id"));

    [Theory]
    [InlineData("""{"model":"a/b","stream":true}""", """{"stream_options":{$},"model":"m","stream":true}""")]
    [InlineData("""{"stream":true,"stream_options":{},"model":"a/b"}""", """{"stream":true,"stream_options":{$},"model":"m"}""")]
    [InlineData("""{"stream":true,"stream_options":{ "x" : 1 },"model":"a/b"}""", """{"stream":true,"stream_options":{$, "x" : 1 },"model":"m"}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":false},"model":"a/b"}""", """{"stream":true,"stream_options":{$},"model":"m"}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":null},"model":"a/b"}""", """{"stream":true,"stream_options":{$},"model":"m"}""")]
    [InlineData("""{"stream":true,"stream_options":null,"model":"a/b"}""", """{"stream":true,"stream_options":{$},"model":"m"}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":true},"model":"a/b"}""", """{"stream":true,"stream_options":{$},"model":"m"}""")]
    [InlineData("""{"stream":false,"model":"a/b"}""", """{"stream":false,"model":"m"}""")]
    public async Task A_stream_is_asked_for_its_usage(string body, string sent) =>
        Assert.Equal(sent.Replace("$", Usage, StringComparison.Ordinal), await EditAsync(Surface.ChatCompletions, body, "m"));

    [Theory]
    [InlineData("""{"model":"a/b"}""", """{"max_tokens":9,"model":"m"}""")]
    [InlineData("""{"max_tokens":null,"model":"a/b"}""", """{"max_tokens":9,"model":"m"}""")]
    [InlineData("""{"model":"a/b","max_completion_tokens": null}""", """{"model":"m","max_tokens":9}""")]
    public async Task A_cap_is_sent_in_the_place_of_a_null_or_else_first(string body, string sent) =>
        Assert.Equal(sent, await EditAsync(Surface.ChatCompletions, body, "m", ("max_tokens", 9)));

    [Theory]
    [InlineData("""{"max_tokens":null,"model":"a/b"}""", """{"max_completion_tokens":9,"model":"m"}""")]
    [InlineData("""{"model":"a/b","max_completion_tokens": null}""", """{"model":"m","max_completion_tokens":9}""")]
    [InlineData("""{"max_tokens":null,"model":"a/b","max_completion_tokens":null}""", """{"max_tokens":null,"model":"m","max_completion_tokens":9}""")]
    public async Task A_cap_in_the_place_of_a_null_has_the_name_that_the_provider_knows(string body, string sent) =>
        Assert.Equal(sent, await EditAsync(Surface.ChatCompletions, body, "m", ("max_completion_tokens", 9)));

    [Fact]
    public async Task The_callers_bytes_are_needed_until_the_connection_has_all_of_them()
    {
        var bytes = """{"model":"a/b"}"""u8.ToArray();
        using var edited = EditedBody.Of(Surface.ChatCompletions, bytes, ReadCallRequest.Read(Surface.ChatCompletions, bytes, 64).Request!, "m", null);
        await Assert.ThrowsAsync<HttpRequestException>(() => edited.CopyToAsync(Closed(), TestContext.Current.CancellationToken));
        Assert.False(edited.IsSent);
        await edited.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken);
        Assert.True(edited.IsSent);

        static Stream Closed()
        {
            var closed = new MemoryStream();
            closed.Dispose();
            return closed;
        }
    }

    private static async Task<string> EditAsync(Surface surface, string body, string model, (string, long)? cap = null)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var (request, refusal) = ReadCallRequest.Read(surface, bytes, 64);
        Assert.Null(refusal);
        using var edited = EditedBody.Of(surface, bytes, request!, model, cap);
        var sent = await edited.ReadAsStringAsync();
        Assert.Equal(Encoding.UTF8.GetByteCount(sent), edited.Headers.ContentLength);
        return sent;
    }
}
