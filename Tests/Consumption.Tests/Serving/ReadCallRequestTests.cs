using System.Text;
using LlmMarketplace.Consumption.Calls;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

public sealed class ReadCallRequestTests
{
    [Fact]
    public void What_is_metered_is_read_and_the_rest_is_left()
    {
        var request = Read("""{"x":{"model":"no","n":9},"model":"a/b","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":7,"n":3}""");

        Assert.Equal(("a/b", true, true, 7, 3), (request.Model, request.Stream, request.WantsUsage, request.MaxOutputTokens, request.Choices));
    }

    [Fact]
    public void What_is_not_said_is_one_whole_answer_of_any_length()
    {
        var request = Read("""{"model":"a/b","stream":null,"max_tokens":null,"n":null}""");

        Assert.Equal((false, false, null, 1), (request.Stream, request.WantsUsage, request.MaxOutputTokens, request.Choices));
    }

    [Theory]
    [InlineData("""{"model":"a/b","messages":[{"role":"user","content":"12345"},{"role":"user","content":[{"type":"text","text":"678"}]}]}""", 8)]
    [InlineData("""{"model":"a/b","input":"12345"}""", 5)]
    [InlineData("""{"model":"a/b","input":["12345","678"]}""", 8)]
    [InlineData("""{"model":"a/b","input":["\u00e9\u20ac","\n\"3"]}""", 8)]
    [InlineData("""{"model":"a/b","input":[[1,2],[3]]}""", 0)]
    [InlineData("""{"model":"a/b","messages":[{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}""", 2)]
    public void Text_of_the_input_is_counted(string body, long bytes) => Assert.Equal(bytes, Read(body).TextBytes);

    [Theory]
    [InlineData("""{"model":"a/b","messages":[{"role":"user","content":"image_url"}]}""", false, false)]
    [InlineData("""{"model":"a/b","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}}]}]}""", true, false)]
    [InlineData("""{"model":"a/b","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"x"}}]}]}""", true, false)]
    [InlineData("""{"model":"a/b","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":""}}]}]}""", true, true)]
    public void What_is_not_text_is_noticed(string body, bool media, bool audio) => Assert.Equal((media, audio), (Read(body).HasMedia, Read(body).HasAudio));

    [Fact]
    public void The_first_thing_that_is_wrong_is_told()
    {
        var (request, refusal) = ReadCallRequest.Read(Surface.ChatCompletions, """{"n":0,"model":7,"max_tokens":-1}"""u8, 64);

        Assert.Null(request);
        Assert.Equal((CallFailure.InvalidField, "n"), (refusal!.Failure, refusal.Param));
    }

    [Theory]
    [InlineData(20, true)]
    [InlineData(21, false)]
    public void Nesting_has_a_bound(int depth, bool fits) =>
        Assert.Equal(fits, ReadCallRequest.Read(Surface.ChatCompletions, Encoding.UTF8.GetBytes($"{{\"model\":\"a/b\",\"x\":{new string('[', depth)}{new string(']', depth)}}}"), 21).Refusal is null);

    [Theory]
    [InlineData("""{"model":"a/b","input":"x","prompt":{"id":"pmpt_1"}}""", "prompt")]
    [InlineData("""{"model":"a/b","input":"x","prompt":"pmpt_1"}""", "prompt")]
    [InlineData("""{"model":"a/b","input":"x","tools":[{"type":"function","name":"f"},{"type":"mcp","server_label":"s","server_url":"https://s.example"}]}""", "tools")]
    [InlineData("""{"model":"a/b","input":"x","tools":[{"server_label":"s","type":"mcp"}],"prompt":null}""", "tools")]
    public void A_response_is_refused_what_the_provider_would_add_to_its_input_without_a_bound(string body, string field)
    {
        var (request, refusal) = ReadCallRequest.Read(Surface.Responses, Encoding.UTF8.GetBytes(body), 64);

        Assert.Null(request);
        Assert.Equal((CallFailure.NotPriced, field), (refusal!.Failure, refusal.Param));
    }

    [Fact]
    public void A_response_without_stored_prompt_and_a_completion_with_a_prompt_are_read()
    {
        Assert.Null(ReadCallRequest.Read(Surface.Responses, """{"model":"a/b","input":"x","prompt":null,"tools":[{"type":"function","name":"f"}]}"""u8, 64).Refusal);
        Assert.Equal(5, ReadCallRequest.Read(Surface.Completions, """{"model":"a/b","prompt":"12345"}"""u8, 64).Request!.TextBytes);
    }

    [Theory]
    [InlineData("\"prompt\":\"one\"", 1)]
    [InlineData("\"prompt\":[1,2,3]", 1)]
    [InlineData("\"prompt\":[]", 1)]
    [InlineData("\"prompt\":[\"one\",\"two\"]", 2)]
    [InlineData("\"prompt\":[[1,2],[3],[4]]", 3)]
    [InlineData("\"prompt\":[\"one\",\"two\"],\"n\":3", 6)]
    [InlineData("\"best_of\":4,\"prompt\":[\"one\",\"two\"],\"n\":3", 8)]
    [InlineData("\"prompt\":\"one\",\"prompt_embeds\":[\"AAAA\",\"BBBB\"]", 3)]
    public void A_completion_has_so_many_answers_for_each_of_its_prompts(string members, long choices) =>
        Assert.Equal(choices, Read(Surface.Completions, $$"""{"model":"a/b",{{members}}}""").Choices);

    [Theory]
    [InlineData("""{"type":"web_search_20250305","name":"web_search"}""", true)]
    [InlineData("""{"type":"web_fetch_20250910","name":"web_fetch"}""", true)]
    [InlineData("""{"type":"bash_20250124","name":"bash"}""", false)]
    [InlineData("""{"name":"f","input_schema":{"type":"object"}}""", false)]
    public void What_tools_bring_in_from_the_web_is_bounded_by_no_body(string tool, bool media) =>
        Assert.Equal(media, Read(Surface.Messages, $$"""{"model":"a/b","tools":[{{tool}}]}""").HasMedia);

    [Theory]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"web_search\"}]", null)]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"web_search\"}],\"max_tool_calls\":null", null)]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"web_search\"}],\"max_tool_calls\":3", 3)]
    [InlineData("/v1/responses", "\"max_tool_calls\":50,\"tools\":[{\"type\":\"web_search\"},{\"type\":\"web_search_preview\"}]", 50)]
    [InlineData("/v1/responses", "\"max_tool_calls\":0,\"tools\":[{\"type\":\"web_search\"}]", 0)]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"web_search\",\"max_uses\":1}]", null)]
    [InlineData("/v1/messages", "\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":2}]", 2)]
    [InlineData("/v1/messages", "\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":2},{\"type\":\"web_search_20260209\",\"max_uses\":3}]", 5)]
    [InlineData("/v1/messages", "\"tools\":[{\"type\":\"web_search_20250305\"},{\"type\":\"web_search_20260209\",\"max_uses\":3}]", null)]
    [InlineData("/v1/messages", "\"max_tool_calls\":1,\"tools\":[{\"type\":\"web_search_20250305\"}]", null)]
    public void Searches_are_bounded_by_what_the_protocol_has_for_it(string path, string members, int? searches) =>
        Assert.Equal(searches, Read(Surface.All.Single(one => $"/v1/{one.Path}" == path), $$"""{"model":"a/b",{{members}}}""").MaxWebSearches);

    [Theory]
    [InlineData("\"max_tool_calls\":-1", CallFailure.InvalidField)]
    [InlineData("\"max_tool_calls\":\"3\"", CallFailure.InvalidField)]
    [InlineData("\"max_tool_calls\":9,\"max_tool_calls\":1", CallFailure.DuplicateField)]
    [InlineData("\"Max_Tool_Calls\":9,\"max_tool_calls\":1", CallFailure.InvalidField)]
    public void A_bound_of_searches_that_could_be_read_otherwise_is_refused(string members, object failure)
    {
        var (request, refusal) = ReadCallRequest.Read(Surface.Responses, Encoding.UTF8.GetBytes($$"""{"model":"a/b",{{members}}}"""), 64);

        Assert.Null(request);
        Assert.Equal((failure, "max_tool_calls"), (refusal!.Failure, refusal.Param));
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("""{"name":"f","input_schema":{"type":"object"}}""", 804)]
    [InlineData("""{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250429","name":"e"}""", 804 + 325 + 700)]
    [InlineData("""{"type":"computer_20250124","name":"c"}""", 804 + 735 + 499)]
    [InlineData("""{"type":"computer_toolset_20260801"}""", 804 + 4_590)]
    public void What_a_provider_says_to_its_model_about_tools_is_reckoned(string tools, long tokens) =>
        Assert.Equal(tokens, Read(Surface.Messages, $$"""{"model":"a/b","tools":[{{tools}}]}""").ToolTokens);

    [Theory]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"shell\",\"environment\":{\"type\":\"container_auto\"}}]", "tools")]
    [InlineData("/v1/responses", "\"tools\":[{\"environment\":{\"container_id\":\"c\",\"type\":\"container_reference\"},\"type\":\"shell\"}]", "tools")]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"shell\",\"environment\":\"container_auto\"}]", "tools")]
    [InlineData("/v1/messages", "\"speed\":\"fast\"", "speed")]
    [InlineData("/v1/messages", "\"inference_geo\":\"us\"", "inference_geo")]
    [InlineData("/v1/messages", "\"mcp_servers\":[{\"type\":\"url\",\"url\":\"https://s.example\",\"name\":\"s\"}]", "mcp_servers")]
    [InlineData("/v1/messages", "\"Speed\":\"fast\"", "speed")]
    public void What_costs_apart_is_refused_by_its_name(string path, string members, string field)
    {
        var (request, refusal) = ReadCallRequest.Read(Surface.All.Single(one => $"/v1/{one.Path}" == path), Encoding.UTF8.GetBytes($$"""{"model":"a/b",{{members}}}"""), 64);

        Assert.Null(request);
        Assert.Equal(field, refusal!.Param);
    }

    [Theory]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"shell\"},{\"type\":\"shell\",\"environment\":null},{\"type\":\"shell\",\"environment\":{\"type\":\"local\"}}]")]
    [InlineData("/v1/messages", "\"speed\":\"standard\",\"inference_geo\":\"global\",\"mcp_servers\":[]")]
    [InlineData("/v1/messages", "\"speed\":null,\"inference_geo\":null,\"mcp_servers\":null")]
    public void What_costs_no_more_than_its_tokens_passes(string path, string members) =>
        Read(Surface.All.Single(one => $"/v1/{one.Path}" == path), $$"""{"model":"a/b",{{members}}}""");

    private static CallRequest Read(string body) => Read(Surface.ChatCompletions, body);

    private static CallRequest Read(Surface surface, string body)
    {
        var (request, refusal) = ReadCallRequest.Read(surface, Encoding.UTF8.GetBytes(body), 64);
        Assert.Null(refusal);
        return request!;
    }
}
