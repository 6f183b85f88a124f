using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.CallLogs;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.CallLogs;

/// <summary>What is taken out of requests and answers before they are logged.</summary>
public sealed class RedactionTests
{
    private static readonly Redaction BuiltIn = new([]);

    [Theory]
    [InlineData("key sk-proj-abcdefghijklmnop1234 end", "key [redacted:key] end")]
    [InlineData("llm_mk_0123456789abcdef", "[redacted:key]")]
    [InlineData("Authorization: Bearer abcdefghijklmnopqrst.uv==", "Authorization: [redacted:key]")]
    [InlineData("AKIAIOSFODNN7EXAMPLE", "[redacted:key]")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1", "[redacted:key]")]
    [InlineData("x-api-key: 'abcdef0123456789'", "[redacted:key]'")]
    [InlineData("to anna.o'neil+x@mail.example.org, please", "to [redacted:email], please")]
    [InlineData("jörg@bücher.example", "[redacted:email]")]
    [InlineData("card 4111 1111 1111 1111.", "card [redacted:card].")]
    [InlineData("5500-0055-5555-5559,378282246310005", "[redacted:card],[redacted:card]")]
    [InlineData("12 4111111111111111 12", "12 [redacted:card] 12")]
    [InlineData("GB82 WEST 1234 5698 7654 32 please pay", "[redacted:iban] please pay")]
    [InlineData("DE89370400440532013000 GB82WEST12345698765432", "[redacted:iban] [redacted:iban]")]
    [InlineData("from 192.168.1.20:80 and 2001:db8::8a2e:370:7334.", "from [redacted:ip]:80 and [redacted:ip].")]
    [InlineData("call +49 (0)30 1234567 now", "call [redacted:phone] now")]
    [InlineData("call (415) 555-2671 or 030 1234567", "call [redacted:phone] or [redacted:phone]")]
    public void What_names_a_person_or_opens_a_door_is_taken_out(string text, string redacted) => Assert.Equal(redacted, BuiltIn.Redact(text));

    [Theory]
    [InlineData("4111 1111 1111 1112")] // Not Luhn.
    [InlineData("GB00 WEST 1234 5698 7654 32")] // Other check digits.
    [InlineData("at 12:30:45 on 2026-11-26, std::vector, 999.1.1.300")]
    [InlineData("ask-me-anything, basic understanding, bearer of news, 3.14, 1764128136000")]
    public void What_only_looks_like_it_stays(string text) => Assert.Equal(text, BuiltIn.Redact(text));

    [Fact]
    public void Own_patterns_are_taken_out_too_and_places_that_overlap_become_one()
    {
        var redaction = new Redaction([LoggingRules.Compile(@"PRJ-\d+"), LoggingRules.Compile("anna")]);

        Assert.Equal("[redacted:own]: [redacted:email]!", redaction.Redact("PRJ-77: anna@mail.example!"));
    }

    [Fact]
    public void Escapes_nesting_names_and_numbers_are_no_way_around()
    {
        var kept = Json("""{"a":[{"b":"anna\u0040mail.example \u0034111111111111111"}],"bob@mail.example":4111111111111111,"n":1.50,"t":true,"z":null}""");

        Assert.Equal("""{"a":[{"b":"[redacted:email] [redacted:card]"}],"[redacted:email]":"[redacted:card]","n":1.50,"t":true,"z":null}""", kept.Body);
        Assert.False(kept.IsCut);
    }

    [Fact]
    public void Arguments_of_tools_that_are_json_in_a_string_are_redacted() =>
        Assert.Equal("""{"arguments":"{\"to\":\"[redacted:email]\"}"}""", Json("""{"arguments":"{\"to\":\"anna@mail.example\"}"}""").Body);

    [Fact]
    public void Base64_data_are_cut_to_their_size_and_hash()
    {
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(new byte[300]));
        var data = Convert.ToBase64String(new byte[300]);

        Assert.Equal($$"""{"url":"[data: image/png, 300 bytes, sha256:{{hash}}]","data":"[data: 300 bytes, sha256:{{hash}}]"}""", Json($$"""{"url":"data:image/png;base64,{{data}}","data":"{{data}}"}""").Body);
    }

    [Theory]
    [InlineData("{\"a\":")]
    [InlineData("{\"a\":\"anna@mail.example\",\"a\":1}")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    public void Of_what_cannot_be_read_as_json_only_size_and_hash_are_kept(string body) => Assert.StartsWith($"[data: {body.Length} bytes, sha256:", Json(body).Body, StringComparison.Ordinal);

    [Fact]
    public void A_long_body_is_redacted_whole_and_then_cut_between_characters()
    {
        var kept = Json(JsonSerializer.Serialize(new { text = new string('€', 30_000), mail = "anna@mail.example" }));

        Assert.True(kept.IsCut);
        Assert.InRange(Encoding.UTF8.GetByteCount(kept.Body!), CallLogOptions.MaxBodyBytes - 3, CallLogOptions.MaxBodyBytes);
        Assert.EndsWith("€", kept.Body, StringComparison.Ordinal);
    }

    [Fact]
    public void However_a_stream_of_chat_is_split_what_its_reader_would_see_is_redacted()
    {
        const string Secret = "mail anna@mail.example card 4111 1111 1111 1111";
        for (var at = 1; at < Secret.Length; at++)
        {
            var kept = Stream([Chunk(Secret[..at]), Chunk(Secret[at..]), """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""", "[DONE]"]);

            Assert.Equal("""[{"choices":[{"index":0,"delta":{"role":"assistant","content":"mail [redacted:email] card [redacted:card]"},"finish_reason":"stop"}]}]""", kept);
        }
    }

    [Fact]
    public void Choices_tool_calls_and_blocks_are_joined_each_by_itself()
    {
        var chat = Stream([
            """{"choices":[{"index":1,"delta":{"content":"b"}}]}""", """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"to\":\"anna@"}}]}}]}""",
            """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"mail.example\"}"}}]}}]}""", """{"choices":[{"index":1,"delta":{"content":"c"}}]}"""]);
        var messages = Stream([
            """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"anna@"}}""", """{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"other"}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"mail.example"}}"""]);
        var responses = Stream([
            """{"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"anna@"}""",
            """{"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"mail.example"}"""]);

        Assert.Equal("""[{"choices":[{"index":1,"delta":{"content":"bc"}},{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"to\":\"[redacted:email]\"}"}}]}}]}]""", chat);
        Assert.Equal("""[{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"[redacted:email]"}},{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"other"}}]""", messages);
        Assert.Equal("""[{"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"[redacted:email]"}]""", responses);
    }

    [Fact]
    public void A_stream_of_many_pieces_and_many_places_is_joined()
    {
        var events = Enumerable.Range(0, 30_000).Select(i => $$$"""{"choices":[{"index":{{{i % 10_000}}},"delta":{"content":"{{{i / 10_000}}}"}},{"index":20000,"delta":{"content":"abc"}}]}""");

        var joined = JoinEvents.Of(Encoding.UTF8.GetBytes(string.Concat(events.Select(data => $"data: {data}\n\n"))), default)[0]!["choices"]!.AsArray();

        Assert.Equal(10_001, joined.Count);
        Assert.Equal("012", joined[0]!["delta"]!["content"]!.GetValue<string>());
        Assert.Equal(90_000, joined[1]!["delta"]!["content"]!.GetValue<string>().Length);
    }

    [Theory]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"a\":{\"a\":1,\"a\":2}}")]
    public void Events_that_cannot_be_read_are_no_way_around(string odd)
    {
        var kept = Stream([Chunk("anna@"), odd, Chunk("mail.example")])!;

        Assert.DoesNotContain("anna", kept, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(?<=a)b", "invalid_pattern")]
    [InlineData(@"(a)\1", "invalid_pattern")]
    [InlineData("(", "invalid_pattern")]
    [InlineData("a*", "invalid_pattern")]
    [InlineData("", "invalid_pattern")]
    public void A_pattern_that_cannot_hold_is_refused(string pattern, string code) =>
        Assert.Equal([(code, "/patterns/0")], LoggingRules.Check(1, 1, [], [pattern]).Select(issue => (issue.Code, issue.Path)));

    [Fact]
    public void A_setting_has_bounds()
    {
        Assert.Empty(LoggingRules.Check(90, 0, ["acme/chat"], [new string('a', 500)]));
        Assert.Equal(
            ["invalid_days_kept", "invalid_share", "invalid_service", "too_many_patterns"],
            LoggingRules.Check(91, double.NaN, ["chat"], [.. Enumerable.Repeat("a", 21)]).Select(issue => issue.Code));
        Assert.Equal(["invalid_pattern"], LoggingRules.Check(1, 1, [], [new string('a', 501)]).Select(issue => issue.Code));
    }

    private static LoggedBody Json(string body) => RedactBody.Of("application/json; charset=utf-8", Encoding.UTF8.GetBytes(body), BuiltIn);

    private static string? Stream(IEnumerable<string> events) =>
        RedactBody.Of("text/event-stream", Encoding.UTF8.GetBytes(string.Concat(events.Select(data => $"data: {data}\n\n"))), BuiltIn).Body;

    private static string Chunk(string text) => JsonSerializer.Serialize(new { choices = new[] { new { index = 0, delta = new { role = "assistant", content = text } } } });
}
