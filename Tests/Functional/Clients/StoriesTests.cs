using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional.Clients;

public sealed class PythonStoriesTests(PythonStories stories) : StoriesTests(stories), IClassFixture<PythonStories>;

public sealed class JavaScriptStoriesTests(JavaScriptStories stories) : StoriesTests(stories), IClassFixture<JavaScriptStories>;

/// <summary>What the helpers of OpenAI's and Anthropic's own clients do with providers of every kind: those of their own protocol, and those that are translated.</summary>
public abstract class StoriesTests(Stories stories)
{
    private const string Weather = """{"city":"Bern","degrees":7}""";

    [Theory]
    [InlineData("chat")]
    [InlineData("messages")]
    [InlineData("gemini")]
    public void OpenAIs_stream_helper_puts_a_chat_together(string provider) =>
        AssertTold($$"""{"deltas":["Hello,"," world."],"text":"Hello, world.","finish":"stop","usage":[10,5]}""", $"chat_stream@{provider}");

    [Theory]
    [InlineData("chat")]
    [InlineData("messages")]
    [InlineData("gemini")]
    public void A_chat_keeps_to_the_schema_of_a_type(string provider)
    {
        AssertTold(Weather, $"chat_parse@{provider}");
        AssertTold(Weather, $"chat_stream_parse@{provider}");
    }

    [Theory]
    [InlineData("chat")]
    [InlineData("messages")]
    [InlineData("gemini")]
    public void OpenAIs_tool_helpers_call_and_are_answered(string provider)
    {
        AssertTold("""{"called":["weather","Bern"],"text":"The tool says: 7 degrees in Bern"}""", $"chat_tools@{provider}");
        AssertTold("""{"called":["weather","Bern"],"text":"The tool says: 7 degrees in Bern"}""", $"chat_tools_whole@{provider}");
    }

    [Theory]
    [InlineData("all")]
    [InlineData("chat")]
    [InlineData("messages")]
    [InlineData("gemini")]
    [InlineData("converse")]
    public void OpenAIs_stream_helper_puts_a_response_together(string provider) =>
        AssertTold("""{"deltas":["Hello,"," world."],"text":"Hello, world.","status":"completed","usage":[10,5]}""", $"responses_stream@{provider}");

    [Theory]
    [InlineData("all")]
    [InlineData("chat")]
    [InlineData("messages")]
    [InlineData("gemini")]
    [InlineData("converse")]
    public void A_response_keeps_to_the_schema_of_a_type(string provider) => AssertTold(Weather, $"responses_parse@{provider}");

    [Theory]
    [InlineData("all")]
    [InlineData("chat")]
    [InlineData("messages")]
    [InlineData("gemini")]
    [InlineData("converse")]
    public void A_response_calls_a_tool_and_is_answered(string provider) =>
        AssertTold("""{"called":["weather","Bern"],"text":"The tool says: 7 degrees in Bern"}""", $"responses_tools@{provider}");

    [Theory]
    [InlineData("messages")]
    [InlineData("chat")]
    [InlineData("gemini")]
    [InlineData("converse")]
    public void Anthropics_stream_helper_puts_a_message_together(string provider) =>
        AssertTold("""{"deltas":["Hello,"," world."],"text":"Hello, world.","finish":"end_turn","usage":[10,5]}""", $"messages_stream@{provider}");

    [Theory]
    [InlineData("messages")]
    [InlineData("chat")]
    [InlineData("gemini")]
    [InlineData("converse")]
    public void A_message_keeps_to_the_schema_of_a_type(string provider) => AssertTold(Weather, $"messages_parse@{provider}");

    [Theory]
    [InlineData("messages")]
    [InlineData("chat")]
    [InlineData("gemini")]
    [InlineData("converse")]
    public void Anthropics_tool_runner_calls_and_is_answered(string provider)
    {
        AssertTold("""{"called":["weather","Bern"],"text":"The tool says: 7 degrees in Bern"}""", $"messages_tools@{provider}");
        AssertTold("""{"called":["weather","Bern"],"text":"The tool says: 7 degrees in Bern"}""", $"messages_tools_streamed@{provider}");
    }

    [Theory]
    [InlineData("messages")]
    [InlineData("chat")]
    public void Anthropics_client_may_send_the_key_as_a_bearer(string provider) => AssertTold("\"Hello, world.\"", $"messages_by_bearer@{provider}");

    [Fact]
    public void Anthropics_client_counts_tokens() => AssertTold("14", "count_tokens");

    [Theory]
    [InlineData("default", "[[1,2],[1,2]]")]
    [InlineData("float", "[[1,2],[1,2]]")]
    public void Embeddings_come_as_numbers(string encoding, string expected) =>
        Assert.Equal(expected, stories.Told($"embeddings@{encoding}")!.ToJsonString().Replace(".0", "", StringComparison.Ordinal));

    [Fact]
    public void Embeddings_come_as_the_base64_that_was_asked_for() => AssertTold("[8,8]", "embeddings@base64");

    [Fact]
    public void Completions_come_whole_and_streamed()
    {
        AssertTold("\" a time\"", "completion");
        AssertTold("""[" a"," time"]""", "completion_streamed");
    }

    [Fact]
    public void Images_are_made() => AssertTold("""["AAAA","BBBB"]""", "image");

    [Fact]
    public void Speech_is_written_down_whole_and_streamed_and_translated()
    {
        AssertTold("\"a.wav, 8044 bytes, de\"", "transcription");
        AssertTold("""[["transcript.text.delta","Hel"],["transcript.text.delta","lo"],["transcript.text.done","Hello"]]""", "transcription_streamed");
        AssertTold("\"Hello\"", "translation");
    }

    [Fact]
    public void A_text_is_spoken() => AssertTold("\"Hello, spoken\"", "speech");

    [Fact]
    public void A_text_is_moderated() => AssertTold("true", "moderation");

    [Fact]
    public void A_response_is_stored_read_gone_on_from_and_deleted() =>
        AssertTold("""{"same":true,"text":"Hello, world.","items":["Hi"],"after":"Hello, world.","then":"response_not_found"}""", "stored");

    [Fact]
    public void Models_are_listed_and_read_by_names_with_slashes()
    {
        AssertTold("[true,true,true]", "model_list");
        AssertTold("""[true,"model",true]""", "model_of_openai");
    }

    [Fact]
    public void Anthropics_client_lists_and_reads_models_too()
    {
        var told = stories.Told("model_of_anthropic")!.AsArray();
        Assert.Equal("""[true,true,"model",true]""", new JsonArray([.. told.SkipLast(1).Select(one => one!.DeepClone())]).ToJsonString());
        Assert.True((int)told[^1]! > 2024);
    }

    [Fact]
    public void A_bare_name_is_what_the_organisation_has_it_stand_for() => AssertTold("\"Hello, world.\"", "alias");

    [Fact]
    public async Task Headers_beside_a_call_say_whom_it_is_made_for()
    {
        var record = await stories.Market.RecordAsync(stories.Key, (string)stories.Told("attributed")!);

        Assert.Equal(("customer-4711", "search", "chat"), ((string?)record["endUser"], (string?)record["tags"]!["team"], (string?)record["tags"]!["feature"]));
        Assert.Equal(("completed", 0.00005m), ((string?)record["outcome"], (decimal)record["cost"]!));
    }

    [Fact]
    public void The_clients_own_retries_keep_the_idempotency_key_and_a_repeat_is_not_sent_again() =>
        AssertTold("""{"texts":["Hello, world.","Hello, world."],"requests":3,"replayed":"true","same":true}""", "retried");

    [Theory]
    [InlineData("left")]
    [InlineData("left_messages")]
    public async Task Who_leaves_in_the_middle_of_a_stream_has_abandoned_it(string story)
    {
        var told = stories.Told(story)!;

        Assert.Equal("Hello", (string?)told["said"]);
        Assert.Equal("abandoned", (string?)(await stories.Market.RecordAsync(stories.Key, (string)told["requestId"]!))["outcome"]);
    }

    [Fact]
    public async Task Who_waits_no_longer_has_abandoned_the_call()
    {
        AssertTold("\"APITimeoutError\"", "timed_out");
        var outcomes = await Until.SomethingAsync("the record of the call that was not waited for", async () =>
            (await stories.Consumer.GetAsync("api/v1/usage?groupBy=outcome&endUser=impatient")).Expect()["items"]!.AsArray() is { Count: > 0 } items ? items : null);

        Assert.Equal(("abandoned", 1L, 0L), ((string?)outcomes.Single()!["outcome"], (long)outcomes[0]!["calls"]!, (long)outcomes[0]!["outputTokens"]!));
    }

    [Theory]
    [InlineData("field", """{"name":"BadRequestError","status":400,"code":"invalid_value","param":"max_tokens","type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("gap", """{"name":"BadRequestError","status":400,"code":"unsupported_parameter","param":"logit_bias","type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("model", """{"name":"NotFoundError","status":404,"code":"model_not_found","param":"model","type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("key", """{"name":"AuthenticationError","status":401,"code":"invalid_api_key","param":null,"type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("budget", """{"name":"RateLimitError","status":429,"code":"insufficient_quota","param":null,"type":"insufficient_quota","retry":"false","hasId":true,"requests":1}""")]
    [InlineData("provider", """{"name":"BadRequestError","status":400,"code":"refused","param":"messages","type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    public void OpenAIs_client_tells_refusals_apart(string refusal, string expected) => AssertTold(expected, $"refused@openai.{refusal}");

    [Theory]
    [InlineData("field", """{"name":"BadRequestError","status":400,"type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("gap", """{"name":"BadRequestError","status":400,"type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("model", """{"name":"NotFoundError","status":404,"type":"not_found_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("key", """{"name":"AuthenticationError","status":401,"type":"authentication_error","retry":null,"hasId":true,"requests":1}""")]
    [InlineData("budget", """{"name":"RateLimitError","status":429,"type":"rate_limit_error","retry":"false","hasId":true,"requests":1}""")]
    [InlineData("provider", """{"name":"BadRequestError","status":400,"type":"invalid_request_error","retry":null,"hasId":true,"requests":1}""")]
    public void Anthropics_client_tells_refusals_apart(string refusal, string expected) => AssertTold(expected, $"refused@anthropic.{refusal}");

    private void AssertTold(string expected, string story) => Assert.Equal(expected, stories.Told(story)?.ToJsonString(Relaxed));

    private static readonly System.Text.Json.JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
