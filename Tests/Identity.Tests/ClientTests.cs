namespace LlmMarketplace.Identity.Tests;

public sealed class ClientTests(SharedIdentity shared)
{
    [Fact]
    public async Task A_member_makes_clients_for_their_organisation_with_roles_of_their_own()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var (own, other) = (await admin.OrganisationAsync(Unique.Slug()), await admin.OrganisationAsync(Unique.Slug()));
        var member = await OrganisationTests.MemberAsync(app, admin, own, "consumer");

        var (id, secret) = await member.ClientAsync(own, "consumer");
        Assert.Equal(200, (await app.ClientTokenAsync(id, secret)).Status);
        (await member.PostAsync("/api/v1/clients", new { name = "x", roles = new[] { "provider" } })).ExpectProblem(403, "role_not_yours");
        (await member.PostAsync("/api/v1/clients", new { name = "x", organisationId = other, roles = new[] { "consumer" } })).ExpectProblem(404, "not_found");
    }

    [Fact]
    public async Task A_stolen_client_can_make_no_other()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var organisation = await admin.OrganisationAsync(Unique.Slug());
        var (id, secret) = await admin.ClientAsync(organisation, "consumer");
        var client = app.ApiWith((await app.ClientTokenAsync(id, secret)).Body.GetProperty("access_token").GetString());

        (await client.PostAsync("/api/v1/clients", new { name = "x", roles = new[] { "consumer" } })).ExpectProblem(403, "not_a_person");
        (await client.PostAsync($"/api/v1/clients/{id}/secret")).ExpectProblem(404, "not_found");
    }

    [Fact]
    public async Task A_secret_is_stored_as_a_hash_and_shown_once()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var organisation = await admin.OrganisationAsync(Unique.Slug());
        var (id, secret) = await admin.ClientAsync(organisation, "consumer");

        var list = (await admin.GetAsync($"/api/v1/clients?organisationId={organisation}")).Expect(200).Body;
        Assert.Equal(id, Assert.Single(list.GetProperty("items").EnumerateArray()).GetProperty("id").GetString());
        Assert.DoesNotContain(secret, list.ToString(), StringComparison.Ordinal);
        var stored = (await app.SqlAsync($"SELECT client_secret FROM openiddict_applications WHERE client_id = '{id}'"))[0];
        Assert.NotEmpty(stored);
        Assert.DoesNotContain(secret, stored, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rotated_secret_replaces_the_old_one_and_a_deleted_client_is_gone()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var (id, secret) = await admin.ClientAsync(await admin.OrganisationAsync(Unique.Slug()), "consumer");

        var rotated = (await admin.PostAsync($"/api/v1/clients/{id}/secret")).Expect(200).Body.GetProperty("secret").GetString()!;
        Assert.Equal(401, (await app.ClientTokenAsync(id, secret)).Status);
        var (status, body) = await app.ClientTokenAsync(id, rotated);
        Assert.Equal(200, status);

        (await admin.DeleteAsync($"/api/v1/clients/{id}")).Expect(204);
        Assert.Equal(401, (await app.ClientTokenAsync(id, rotated)).Status);
        (await app.ApiWith(body.GetProperty("access_token").GetString()).GetAsync("/api/v1/me")).ExpectProblem(403, "access_withdrawn");
        (await admin.DeleteAsync($"/api/v1/clients/{id}")).ExpectProblem(404, "not_found");
    }

    [Fact]
    public async Task Clients_of_others_are_neither_seen_nor_touched()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var (own, other) = (await admin.OrganisationAsync(Unique.Slug()), await admin.OrganisationAsync(Unique.Slug()));
        var (foreign, _) = await admin.ClientAsync(other, "consumer");
        var (stronger, _) = await admin.ClientAsync(own, "provider");
        var member = await OrganisationTests.MemberAsync(app, admin, own, "consumer");

        Assert.Equal([stronger], (await member.GetAsync("/api/v1/clients")).Expect(200).Body.GetProperty("items").EnumerateArray().Select(client => client.GetProperty("id").GetString()));
        Assert.Empty((await member.GetAsync($"/api/v1/clients?organisationId={other}")).Expect(200).Body.GetProperty("items").EnumerateArray());
        foreach (var client in new[] { foreign, stronger, "svc-publishing", "marketplace-cli", IdentityApp.BootstrapId })
        {
            (await member.PostAsync($"/api/v1/clients/{client}/secret")).ExpectProblem(404, "not_found");
            (await member.DeleteAsync($"/api/v1/clients/{client}")).ExpectProblem(404, "not_found");
        }
    }

    [Fact]
    public async Task Clients_of_the_configuration_are_changed_there()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();

        (await admin.PostAsync($"/api/v1/clients/{IdentityApp.BootstrapId}/secret")).ExpectProblem(409, "client_of_configuration");
        (await admin.DeleteAsync($"/api/v1/clients/{IdentityApp.BootstrapId}")).ExpectProblem(409, "client_of_configuration");
        (await admin.DeleteAsync("/api/v1/clients/svc-publishing")).ExpectProblem(404, "not_found");
    }
}
