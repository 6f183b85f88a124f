using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Tests.Metering;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using StandardWebhooks;
using StandardWebhooks.Diagnostics;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Webhooks;

/// <summary>A webhook with a scripted receiver behind it, of an organisation whose spending a test makes up.</summary>
internal sealed class Hook(Marketplace marketplace, Guid organisation, HttpClient client, string segment, JsonElement created)
{
    public Guid Id { get; } = created.GetProperty("id").GetGuid();

    public string Secret { get; } = created.Text("secret")!;

    public Guid Organisation => organisation;

    public HttpClient Client => client;

    public string Path => $"/api/v1/webhooks/{Id}";

    /// <summary>What the receiver was sent, oldest first.</summary>
    public IReadOnlyList<ReceivedCall> Seen => [.. marketplace.Receiver.Calls.Where(call => call.Path == $"/{segment}/hook")];

    /// <param name="marketplace">Where.</param>
    /// <param name="answer">What the receiver does; 204 unless said.</param>
    /// <param name="type">The events' type; thresholds unless said.</param>
    /// <param name="organisation">Whose; a new one's unless said.</param>
    public static async Task<Hook> OpenAsync(Marketplace marketplace, Func<ReceivedCall, Task>? answer = null, string type = ConsumptionEvents.BudgetThresholdReached, Guid? organisation = null)
    {
        var segment = Guid.CreateVersion7().ToString("n");
        marketplace.Receiver.AnswerBelow(segment, answer ?? Say(204));
        var whose = organisation ?? Guid.CreateVersion7();
        var client = ClientOf(marketplace, whose, Roles.Consumer, Roles.Provider);
        var answered = await client.PostAsJsonAsync("/api/v1/webhooks", new { url = UrlOf(segment), events = new[] { type }, description = "a test's" });
        Assert.True(answered.StatusCode == HttpStatusCode.Created, await answered.Content.ReadAsStringAsync());
        return new Hook(marketplace, whose, client, segment, await answered.JsonAsync());
    }

    /// <summary>Somebody of an organisation with the slug <c>acme</c>, which the operator lets to the scripted receiver.</summary>
    public static HttpClient ClientOf(Marketplace marketplace, Guid organisation, params string[] roles) => marketplace.Service.ClientWith(marketplace.Identity.Token(organisation, "acme", roles));

    public static string UrlOf(string segment) => $"http://hooks.local/{segment}/hook";

    public static Func<ReceivedCall, Task> Say(int status, params (string Name, string Value)[] headers) => call =>
    {
        call.Http.Response.StatusCode = status;
        foreach (var (name, value) in headers)
        {
            call.Http.Response.Headers[name] = value;
        }

        return Task.CompletedTask;
    };

    /// <summary>Changes what the receiver does.</summary>
    public void Answer(Func<ReceivedCall, Task> answer) => marketplace.Receiver.AnswerBelow(segment, answer);

    /// <summary>Whether one of the signatures is by this secret, and the time is now: by somebody else's library for the standard, which looks at one signature only.</summary>
    public static bool IsSigned(ReceivedCall call, string secret) => call.Headers["webhook-signature"].Split(' ').Any(signature =>
    {
        try
        {
            new StandardWebhook(secret).Verify(call.Body, new HeaderDictionary { ["webhook-id"] = call.Headers["webhook-id"], ["webhook-timestamp"] = call.Headers["webhook-timestamp"], ["webhook-signature"] = signature });
            return true;
        }
        catch (WebhookVerificationException)
        {
            return false;
        }
    });

    public async Task SetBudgetAsync(decimal amount) => (await client.PutAsJsonAsync("/api/v1/budgets", new { amount, currency = "USD", period = "total" })).EnsureSuccessStatusCode();

    /// <summary>Records a call that cost this.</summary>
    public async Task SpendAsync(decimal cost, string? endUser = null)
    {
        var plain = Records.Admission(organisation, Guid.CreateVersion7());
        var admission = new AdmissionRow
        {
            RequestId = plain.RequestId, InstanceId = plain.InstanceId, OrganisationId = organisation, Generation = 0, KeyId = plain.KeyId, ListingId = plain.ListingId, VersionId = plain.VersionId,
            ProviderOrganisationId = plain.ProviderOrganisationId, Service = plain.Service, Operation = plain.Operation, Streamed = false, AdmittedAt = plain.AdmittedAt, Day = Periods.Day(DateTimeOffset.UtcNow),
            ReservedTokens = 0, ReservedNanos = 0, Currency = "USD", MicrosecondsPerToken = 0, EndUser = endUser,
        };
        await marketplace.Service.App.Services.GetRequiredService<UsageStore>().WriteAsync(new UsageBatch([Records.Of(admission, cost: cost)], [], [], null), CancellationToken.None);
    }

    /// <summary>Has one threshold reached.</summary>
    public async Task TellOneAsync()
    {
        await SetBudgetAsync(1m);
        await SpendAsync(0.6m);
    }

    public Task<JsonElement> ShownAsync() => client.GetFromJsonAsync<JsonElement>(Path);

    /// <summary>The deliveries, newest first.</summary>
    public async Task<JsonElement[]> DeliveriesAsync() => [.. (await client.GetFromJsonAsync<JsonElement>(Path + "/deliveries")).GetProperty("items").EnumerateArray()];

    /// <summary>The only delivery, once it is as it should be.</summary>
    public async Task<JsonElement> DeliveryAsync(string state, int attempts) => await Until.SomeAsync<JsonElement>(async () =>
        Assert.Single(await DeliveriesAsync()) is var one && one.Text("state") == state && one.GetProperty("attempts").GetInt32() == attempts ? one : null);

    /// <summary>Waits until as many were delivered.</summary>
    public Task DeliveredAsync(int count) => Until.TrueAsync(async () => (await DeliveriesAsync()).Count(one => one.Text("state") == "delivered") == count);

    /// <summary>Lets what waits be due now.</summary>
    public Task MakeDueAsync() => ExecuteAsync("UPDATE webhook_deliveries SET due_at = now() - interval '1 second' WHERE webhook_id = $1 AND state = 'Waiting'");

    /// <summary>Changes something of the webhook (<c>$1</c>) behind its back.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = Id } } };
        await command.ExecuteNonQueryAsync();
    }
}
