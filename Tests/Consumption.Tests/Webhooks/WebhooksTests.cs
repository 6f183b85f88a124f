using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Webhooks;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Webhooks;

/// <summary>What a webhook may be, and who may have one.</summary>
public sealed class WebhooksTests(Marketplace marketplace)
{
    private const string Thresholds = "marketplace.budget.threshold_reached.v1";
    private const string Violations = "marketplace.sla.violation_changed.v1";

    // A public address; nothing is sent there, for nothing of these organisations is told.
    private const string Public = "https://93.184.216.34/hooks";

    [Fact]
    public async Task It_is_created_read_changed_and_deleted_and_its_secret_is_told_once_and_kept_sealed()
    {
        using var client = Hook.ClientOf(marketplace, Guid.CreateVersion7(), Roles.Consumer);

        using var answer = await client.PostAsJsonAsync("/api/v1/webhooks", new { url = Public, events = new[] { Thresholds }, description = "for the pager" });

        var created = await answer.JsonAsync();
        var path = answer.Headers.Location!.OriginalString;
        Assert.Equal((HttpStatusCode.Created, "no-store"), (answer.StatusCode, answer.Headers.CacheControl!.ToString()));
        Assert.StartsWith("whsec_", created.Text("secret"), StringComparison.Ordinal);
        var shown = await client.GetFromJsonAsync<JsonElement>(path);
        Assert.False(shown.TryGetProperty("secret", out _));
        Assert.Equal((Public, "for the pager", true), (shown.Text("url"), shown.Text("description"), shown.GetProperty("enabled").GetBoolean()));
        Assert.Equal([Thresholds], shown.GetProperty("events").EnumerateArray().Select(type => type.GetString()));
        Assert.DoesNotContain("whsec_", (await client.GetFromJsonAsync<JsonElement>("/api/v1/webhooks")).GetRawText(), StringComparison.Ordinal);
        Assert.False(await ContainsAsync(shown.GetProperty("id").GetGuid(), Convert.FromBase64String(created.Text("secret")!["whsec_".Length..])));

        var changed = await (await client.PatchAsJsonAsync(path, new { url = Public + "/2", enabled = false, description = (string?)null })).JsonAsync();
        Assert.Equal((Public + "/2", false, null), (changed.Text("url"), changed.GetProperty("enabled").GetBoolean(), changed.Text("description")));
        Assert.Equal((400, "unknown_field"), await (await client.PatchAsJsonAsync(path, new { secret = "whsec_AAAA" })).ProblemAsync());
        Assert.Equal((400, "invalid_events"), await (await client.PatchAsJsonAsync(path, new { events = Array.Empty<string>() })).ProblemAsync());

        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(path)).StatusCode);
        Assert.Equal((404, "not_found"), await (await client.GetAsync(path)).ProblemAsync());
    }

    [Theory]
    [InlineData("http://93.184.216.34/hooks", "insecure_url")]
    [InlineData("https://127.0.0.1/hooks", "forbidden_url")]
    [InlineData("https://10.1.2.3:8443/hooks", "forbidden_url")]
    [InlineData("https://[::ffff:169.254.169.254]/latest", "forbidden_url")]
    [InlineData("https://localhost/hooks", "forbidden_url")]
    [InlineData("https://scripted.local/hooks", "forbidden_url")]
    [InlineData("https://me:secret@93.184.216.34/hooks", "invalid_url")]
    [InlineData("/hooks", "invalid_url")]
    public async Task An_address_where_nothing_may_be_sent_is_refused(string url, string code)
    {
        var hook = await Hook.OpenAsync(marketplace);

        Assert.Equal((400, code), await (await hook.Client.PostAsJsonAsync("/api/v1/webhooks", new { url, events = new[] { Thresholds } })).ProblemAsync());
        Assert.Equal((400, code), await (await hook.Client.PatchAsJsonAsync(hook.Path, new { url })).ProblemAsync());
    }

    [Fact]
    public async Task A_local_address_is_open_to_the_organisation_that_the_operator_names_and_to_no_other()
    {
        using var another = marketplace.Service.ClientWith(marketplace.Identity.Token(Guid.CreateVersion7(), "another", [Roles.Consumer]));
        using var answer = await another.PostAsJsonAsync("/api/v1/webhooks", new { url = Hook.UrlOf("x"), events = new[] { Thresholds } });
        Assert.Equal(["forbidden_url", "insecure_url"], (await answer.JsonAsync()).GetProperty("issues").EnumerateArray().Select(issue => issue.Text("code")).Order());

        var hook = await Hook.OpenAsync(marketplace);
        await hook.ExecuteAsync("UPDATE webhooks SET organisation_slug = 'another' WHERE id = $1");

        Assert.Equal("forbidden", (await TestAsync(hook)).Text("error"));
        Assert.Empty(hook.Seen);
    }

    [Fact]
    public async Task An_address_that_leads_into_the_marketplaces_network_later_is_not_connected_to()
    {
        var hook = await Hook.OpenAsync(marketplace);
        await hook.ExecuteAsync($"UPDATE webhooks SET url = 'https://127.0.0.1:{new Uri(marketplace.Provider.Address).Port}/x' WHERE id = $1");

        var told = await TestAsync(hook);

        Assert.Equal((false, "forbidden"), (told.GetProperty("delivered").GetBoolean(), told.Text("error")));
    }

    [Fact]
    public async Task Another_organisations_webhook_does_not_exist()
    {
        var hook = await Hook.OpenAsync(marketplace);
        await hook.TellOneAsync();
        var delivery = await hook.DeliveryAsync("delivered", 1);
        using var stranger = Hook.ClientOf(marketplace, Guid.CreateVersion7(), Roles.Consumer, Roles.Provider);

        foreach (var (method, path) in new[]
        {
            (HttpMethod.Get, ""), (HttpMethod.Patch, ""), (HttpMethod.Delete, ""), (HttpMethod.Post, "/rotate"), (HttpMethod.Post, "/test"), (HttpMethod.Get, "/deliveries"),
            (HttpMethod.Post, $"/deliveries/{delivery.GetProperty("id").GetGuid()}/redeliver"),
        })
        {
            using var request = new HttpRequestMessage(method, hook.Path + path) { Content = method == HttpMethod.Patch ? Json.Content("{}") : null };
            Assert.Equal((404, "not_found"), await (await stranger.SendAsync(request)).ProblemAsync());
        }

        Assert.Equal(0, (await stranger.GetFromJsonAsync<JsonElement>("/api/v1/webhooks")).GetProperty("items").GetArrayLength());
        Assert.True((await hook.ShownAsync()).GetProperty("enabled").GetBoolean());
    }

    [Fact]
    public async Task Events_are_open_to_the_roles_that_may_read_what_they_tell()
    {
        var organisation = Guid.CreateVersion7();
        using var consumer = Hook.ClientOf(marketplace, organisation, Roles.Consumer);
        using var provider = Hook.ClientOf(marketplace, organisation, Roles.Provider);
        using var auditor = Hook.ClientOf(marketplace, organisation, Roles.Auditor);

        Assert.Equal((400, "invalid_events"), await (await consumer.PostAsJsonAsync("/api/v1/webhooks", new { url = Public, events = new[] { Violations } })).ProblemAsync());
        Assert.Equal((400, "invalid_events"), await (await provider.PostAsJsonAsync("/api/v1/webhooks", new { url = Public, events = new[] { Violations, Thresholds } })).ProblemAsync());
        Assert.Equal((400, "invalid_events"), await (await consumer.PostAsJsonAsync("/api/v1/webhooks", new { url = Public, events = new[] { "marketplace.request.settled.v1" } })).ProblemAsync());
        using var mine = await provider.PostAsJsonAsync("/api/v1/webhooks", new { url = Public, events = new[] { Violations } });
        Assert.Equal(HttpStatusCode.Created, mine.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await consumer.GetAsync(mine.Headers.Location)).StatusCode);
        Assert.Equal(0, (await consumer.GetFromJsonAsync<JsonElement>("/api/v1/webhooks")).GetProperty("items").GetArrayLength());
        Assert.Equal(HttpStatusCode.Forbidden, (await auditor.GetAsync("/api/v1/webhooks")).StatusCode);
    }

    [Fact]
    public async Task There_are_twenty_at_most_however_many_are_created_at_once_and_they_are_read_page_by_page()
    {
        using var client = Hook.ClientOf(marketplace, Guid.CreateVersion7(), Roles.Consumer);

        var answers = await Task.WhenAll(Enumerable.Range(0, 22).Select(_ => client.PostAsJsonAsync("/api/v1/webhooks", new { url = Public, events = new[] { Thresholds } })));

        Assert.Equal(20, answers.Count(answer => answer.StatusCode == HttpStatusCode.Created));
        foreach (var refused in answers.Where(answer => answer.StatusCode != HttpStatusCode.Created))
        {
            Assert.Equal((409, "too_many_webhooks"), await refused.ProblemAsync());
        }

        var first = await client.GetFromJsonAsync<JsonElement>("/api/v1/webhooks?limit=15");
        var second = await client.GetFromJsonAsync<JsonElement>($"/api/v1/webhooks?limit=15&cursor={first.Text("nextCursor")}");
        Assert.Equal(20, new[] { first, second }.SelectMany(page => page.GetProperty("items").EnumerateArray()).Select(item => item.Text("id")).Distinct().Count());
        Assert.Null(second.Text("nextCursor"));
        Assert.Equal((400, "invalid_cursor"), await (await client.GetAsync("/api/v1/webhooks?cursor=x")).ProblemAsync());
    }

    [Fact]
    public async Task A_rotated_secret_and_the_one_before_sign_both_for_a_day()
    {
        var hook = await Hook.OpenAsync(marketplace);

        using var answer = await hook.Client.PostAsync(hook.Path + "/rotate", null);

        var rotated = await answer.JsonAsync();
        Assert.NotEqual(hook.Secret, rotated.Text("secret"));
        Assert.InRange(rotated.GetProperty("previousSecretUntil").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddHours(23), DateTimeOffset.UtcNow.AddHours(24));
        await TestAsync(hook);
        Assert.Equal((true, true), (Hook.IsSigned(hook.Seen[0], hook.Secret), Hook.IsSigned(hook.Seen[0], rotated.Text("secret")!)));

        await hook.ExecuteAsync("UPDATE webhooks SET previous_until = now() - interval '1 second' WHERE id = $1");
        await TestAsync(hook);
        Assert.Equal((false, true), (Hook.IsSigned(hook.Seen[1], hook.Secret), Hook.IsSigned(hook.Seen[1], rotated.Text("secret")!)));
    }

    [Fact]
    public async Task A_test_is_sent_at_once_and_its_outcome_told_and_it_is_no_delivery()
    {
        var hook = await Hook.OpenAsync(marketplace, ProviderScripts.OneByOne(Hook.Say(202), Hook.Say(302, ("Location", "http://hooks.local/elsewhere")), ProviderScripts.Cut));

        var taken = await TestAsync(hook);

        var seen = Assert.Single(hook.Seen);
        Assert.Equal((true, 202, taken.Text("eventId")), (taken.GetProperty("delivered").GetBoolean(), taken.GetProperty("status").GetInt32(), seen.Headers["webhook-id"]));
        var body = JsonElement.Parse(seen.Body);
        Assert.Equal((WebhookEvents.Test, taken.Text("eventId"), hook.Id), (body.Text("type"), body.Text("id"), body.GetProperty("data").GetProperty("webhookId").GetGuid()));
        Assert.True(Hook.IsSigned(seen, hook.Secret));

        var redirected = await TestAsync(hook);
        Assert.Equal((false, 302), (redirected.GetProperty("delivered").GetBoolean(), redirected.GetProperty("status").GetInt32()));
        var cut = await TestAsync(hook);
        Assert.Equal((false, "broken"), (cut.GetProperty("delivered").GetBoolean(), cut.Text("error")));
        Assert.Equal(3, hook.Seen.Count);
        Assert.DoesNotContain(marketplace.Receiver.Calls, call => call.Path == "/elsewhere");
        Assert.Empty(await hook.DeliveriesAsync());
        Assert.Equal(JsonValueKind.Null, (await hook.ShownAsync()).GetProperty("failingSince").ValueKind);
    }

    private static async Task<JsonElement> TestAsync(Hook hook) => await (await hook.Client.PostAsync(hook.Path + "/test", null)).JsonAsync();

    /// <summary>Whether a webhook's row holds these bytes, or their text, anywhere.</summary>
    private async Task<bool> ContainsAsync(Guid webhook, byte[] secret)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT w::text FROM webhooks w WHERE id = $1", connection) { Parameters = { new() { Value = webhook } } };
        var row = (string)(await read.ExecuteScalarAsync())!;
        return row.Contains(Convert.ToHexStringLower(secret), StringComparison.OrdinalIgnoreCase) || row.Contains(Convert.ToBase64String(secret), StringComparison.Ordinal)
            || row.Contains(Convert.ToHexStringLower(Encoding.ASCII.GetBytes(Convert.ToBase64String(secret))), StringComparison.OrdinalIgnoreCase);
    }
}
