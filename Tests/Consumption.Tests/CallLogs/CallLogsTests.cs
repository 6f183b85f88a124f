using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.CallLogs;

/// <summary>Calls of organisations that have switched logging on.</summary>
public sealed class CallLogsTests(Marketplace marketplace)
{
    private const string Setting = Logging.Setting;
    private const string Logs = Logging.Logs;
    private const string Asked = "\"messages\":[{\"role\":\"user\",\"content\":\"I am anna\\u0040mail.example of PRJ-77\"}]";

    [Fact]
    public async Task A_call_is_logged_redacted_and_encrypted_for_its_organisation_alone()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Chat("pay 4111 1111 1111 1111", 5, 2), new { patterns = new[] { @"PRJ-\d+" }, daysKept = 7 });
        var stranger = await marketplace.AddOrganisationAsync();

        using var answer = await shop.ChatAsync(Asked);
        Assert.Contains("4111 1111", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal); // The caller gets it as it is.
        var log = await shop.LogAsync(answer);

        Assert.Equal($$"""{"model":"{{shop.Model}}","messages":[{"role":"user","content":"I am [redacted:email] of [redacted:own]"}]}""", log.GetProperty("request").Text("body"));
        Assert.Contains("pay [redacted:card]", log.GetProperty("answer").Text("body"), StringComparison.Ordinal);
        var call = log.GetProperty("call");
        Assert.Equal((shop.Model, "completed", 200, shop.Key.Id), (call.Text("service"), call.Text("outcome"), call.GetProperty("statusCode").GetInt32(), call.GetProperty("keyId").GetGuid()));
        Assert.InRange(call.GetProperty("expiresAt").GetDateTimeOffset() - call.GetProperty("admittedAt").GetDateTimeOffset(), TimeSpan.FromDays(6.9), TimeSpan.FromDays(7.1));
        Assert.Equal(HttpStatusCode.NotFound, (await stranger.Client.GetAsync($"{Logs}/{answer.RequestId()}")).StatusCode);
        Assert.Equal(0, (await stranger.Client.GetFromJsonAsync<JsonElement>(Logs)).GetProperty("items").GetArrayLength());

        await QueryAsync<object>("UPDATE call_logs SET call_id = '11111111-1111-7111-8111-111111111111' WHERE organisation_id = $1", shop);
        Assert.Equal((409, "call_log_unreadable"), await (await shop.Member.Client.GetAsync($"{Logs}/11111111-1111-7111-8111-111111111111")).ProblemAsync()); // Sealed for its call.
    }

    [Fact]
    public async Task A_stream_is_logged_as_its_reader_saw_it()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Stream(["mail an", "na@mail.", "example"], 5, 2), new { });
        using var answer = await shop.StreamAsync();
        Assert.Contains("na@mail.", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        var log = await shop.LogAsync(answer);

        Assert.Contains("\"content\":\"mail [redacted:email]\"", log.GetProperty("answer").Text("body"), StringComparison.Ordinal);
        Assert.Equal("text/event-stream", log.GetProperty("answer").Text("contentType"));
        Assert.NotEqual(JsonValueKind.Null, log.GetProperty("request").ValueKind);
    }

    [Fact]
    public async Task What_a_provider_refuses_is_logged_with_its_reason()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Fail(422), new { });
        using var refused = await shop.ChatAsync();

        var log = await shop.LogAsync(refused);

        Assert.Equal(("refused-by-provider", 422), (log.GetProperty("call").Text("outcome"), log.GetProperty("call").GetProperty("statusCode").GetInt32()));
        Assert.Equal(await refused.Content.ReadAsStringAsync(), log.GetProperty("answer").Text("body"));
    }

    [Fact]
    public async Task Logged_calls_are_listed_by_page_key_service_and_time_and_erased()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Chat("hi", 1, 1), new { });
        var answers = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            using var answer = await shop.ChatAsync();
            await shop.LogAsync(answer);
            answers.Add($"{answer.RequestId()}");
        }

        var first = await shop.Member.Client.GetFromJsonAsync<JsonElement>($"{Logs}?limit=2&key={shop.Key.Id}&service={shop.Model}");
        var second = await shop.Member.Client.GetFromJsonAsync<JsonElement>($"{Logs}?limit=2&cursor={first.Text("nextCursor")}");
        Assert.Equal(Enumerable.Reverse(answers), first.GetProperty("items").EnumerateArray().Concat(second.GetProperty("items").EnumerateArray()).Select(item => item.Text("callId")!));
        foreach (var none in new[] { $"key={Guid.CreateVersion7()}", "service=acme/none", "to=2020-01-01T00:00:00Z" })
        {
            Assert.Equal(0, (await shop.Member.Client.GetFromJsonAsync<JsonElement>($"{Logs}?{none}")).GetProperty("items").GetArrayLength());
        }

        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync(Logs)).StatusCode);
        Assert.Equal(0, (await shop.Member.Client.GetFromJsonAsync<JsonElement>(Logs)).GetProperty("items").GetArrayLength());
        using var after = await shop.ChatAsync();
        await shop.LogAsync(after); // It is still on.
    }

    [Fact]
    public async Task Other_services_none_of_the_share_and_what_is_switched_off_are_not_logged()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var named = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        Assert.Equal((404, "not_found"), await (await shop.Member.Client.GetAsync(Setting)).ProblemAsync());
        (await shop.ChatAsync()).Dispose();
        await marketplace.SwitchOnAsync(shop.Member, new { share = 0 });
        (await shop.ChatAsync()).Dispose();
        await marketplace.SwitchOnAsync(shop.Member, new { services = new[] { named.Model } });
        (await shop.ChatAsync()).Dispose();
        using var logged = await shop.Client.PostJsonAsync("/v1/chat/completions", named.Body());
        await shop.LogAsync(logged);
        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync(Setting)).StatusCode);
        await Until.TrueAsync(() => marketplace.Service.Policies().Of(shop.Member.Id) is null);
        (await shop.ChatAsync()).Dispose();

        // One after the other they are written: another organisation's call comes after all of these.
        using var other = await marketplace.LoggingAsync(ProviderScripts.Chat("hi", 1, 1), new { });
        using var last = await other.ChatAsync();
        await other.LogAsync(last);
        Assert.Equal(1, await QueryAsync<long>("SELECT count(*) FROM call_logs WHERE organisation_id = $1", shop));
        Assert.Equal(HttpStatusCode.NotFound, (await shop.Member.Client.GetAsync(Setting)).StatusCode);
    }

    [Fact]
    public async Task What_an_erased_end_user_asked_is_erased()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Chat("hi", 1, 1), new { });
        using var theirs = await shop.ChatAsync(Shop.Hello + ",\"user\":\"u-1\"");
        using var others = await shop.ChatAsync(Shop.Hello + ",\"user\":\"u-2\"");
        await shop.LogAsync(theirs);
        await shop.LogAsync(others);

        Assert.True((await shop.Member.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = "u-1" })).IsSuccessStatusCode);

        Assert.Equal(HttpStatusCode.NotFound, (await shop.Member.Client.GetAsync($"{Logs}/{theirs.RequestId()}")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await shop.Member.Client.GetAsync($"{Logs}/{others.RequestId()}")).StatusCode);
    }

    [Fact]
    public async Task Calls_are_removed_after_their_days()
    {
        await using var instance = await marketplace.StartInstanceAsync(settings: [new KeyValuePair<string, string?>("CallLogs:TidyEvery", "00:00:00.100")]);
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Chat("hi", 1, 1), new { });
        using var answer = await shop.ChatAsync();
        await shop.LogAsync(answer);

        await QueryAsync<object>("UPDATE call_logs SET expires_at = now() WHERE organisation_id = $1", shop);

        await Until.TrueAsync(async () => await QueryAsync<long>("SELECT count(*) FROM call_logs WHERE organisation_id = $1", shop) == 0);
    }

    [Fact]
    public async Task Only_consumers_set_and_read_and_a_setting_that_means_nothing_is_refused()
    {
        var member = await marketplace.AddOrganisationAsync();
        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token(member.Id, "acme", [Roles.Provider]));

        Assert.Equal(HttpStatusCode.Forbidden, (await provider.PutAsJsonAsync(Setting, new { })).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await provider.GetAsync(Logs)).StatusCode);
        Assert.Equal((400, "invalid_pattern"), await (await member.Client.PutAsJsonAsync(Setting, new { patterns = new[] { "(?=a)" } })).ProblemAsync());
        Assert.Equal((400, "invalid_days_kept"), await (await member.Client.PutAsJsonAsync(Setting, new { daysKept = 91 })).ProblemAsync());
    }

    private async Task<T?> QueryAsync<T>(string sql, Shop shop)
    {
        await using var database = Npgsql.NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var command = database.CreateCommand(sql);
        command.Parameters.Add(new() { Value = shop.Member.Id });
        return (T?)await command.ExecuteScalarAsync();
    }
}
